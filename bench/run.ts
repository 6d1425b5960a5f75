/** `npm run bench [-- name… --rounds=N]`: runs the cases one after the other, prints their tables, writes JSON. */
import { relative } from 'node:path'
import { bench as call } from './call.ts'
import { bench as challenges } from './challenges.ts'
import { bench as cost } from './cost.ts'
import { bench as firstLoad } from './first-load.ts'
import { bench as host } from './host.ts'
import { bench as resourceServer } from './resource-server.ts'
import { bench as restore } from './restore.ts'
import { bench as services } from './services.ts'
import { bench as stormLatency } from './storm-latency.ts'
import { bench as storms } from './storms.ts'
import { type Bench, toText, writeJson } from './support/report.ts'

const cases: Readonly<Record<string, Bench>> = {
  call,
  challenges,
  cost,
  'first-load': firstLoad,
  host,
  'resource-server': resourceServer,
  restore,
  services,
  'storm-latency': stormLatency,
  storms,
}

const words = process.argv.slice(2)
const rounds = words.map(word => /^--rounds=([1-9]\d*)$/.exec(word)?.[1]).find(Boolean)
const names = words.filter(word => !/^--rounds=[1-9]\d*$/.test(word))
const unknown = names.filter(name => !Object.hasOwn(cases, name))
if (unknown.length > 0) {
  console.error(
    `Unknown: ${unknown.join(', ')}. Cases: ${Object.keys(cases).join(', ')}; --rounds=N repeats.`,
  )
  process.exit(2)
}

const isLive = process.stderr.isTTY
const say = (line: string) => {
  if (isLive) process.stderr.write(`\r\x1b[K${line.slice(0, 100)}`)
}

for (const [name, bench] of Object.entries(cases)) {
  if (names.length > 0 && !names.includes(name)) continue
  say(`${name}: starting`)
  const result = await bench.run({ rounds: rounds ? Number(rounds) : undefined, say })
  say('')
  console.log(`\n── ${name}: ${bench.title}\n`)
  for (const table of result.tables) console.log(toText(table))
  for (const note of result.notes ?? []) console.log(`  ${note}`)
  console.log(`  JSON: ${relative(process.cwd(), writeJson(name, bench.title, result))}`)
}
