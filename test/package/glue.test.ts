import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { glueOf } from './glue.ts'
import { skeletons } from './skeleton-tools.ts'

const root = new URL('../../', import.meta.url)
const doc = readFileSync(new URL('docs/skeletons.md', root), 'utf8')

/** The table rows of the document: the name, and the number at the end. */
const rows = new Map(
  [...doc.matchAll(/^\| \[?([\w-]+).*\| (\d+) \|$/gm)].map(([, app = '', lines]) => [app, Number(lines)]),
)

const ours = glueOf(skeletons)
const others = glueOf(fileURLToPath(new URL('bench/glue', root)))

test('every skeleton app needs at most 12 lines of glue', () => {
  expect(ours).toHaveLength(6)
  expect(ours.filter(({ lines }) => lines > 12)).toEqual([])
})

test('docs/skeletons.md lists the lines of glue of every app, with latchkey and with other libraries', () => {
  expect(rows).toEqual(new Map([...ours, ...others].map(({ app, lines }) => [app, lines])))
})
