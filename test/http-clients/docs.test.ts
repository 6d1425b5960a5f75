import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { findSamples } from '../support/docs-samples.ts'
import { drivers, driversByName } from '../support/http-clients/drivers.ts'

const fromRoot = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const read = (path: string) => readFileSync(fromRoot(path), 'utf8')

const DOC = 'docs/http-clients.md'
const doc = read(DOC)
const samples = findSamples(DOC, doc)

/** The heading that a line of the document stands under. */
const headingOf = (line: number) =>
  doc
    .split('\n')
    .slice(0, line)
    .findLast(text => text.startsWith('## '))

test('every example is of a library that is tested, and every such library has one', () => {
  const files = readdirSync(fromRoot('examples/http-clients'))
  expect(files.sort()).toEqual(drivers.map(({ example }) => `${example}.ts`).sort())
})

test.each(driversByName)(
  '%s stands in the docs as it is tested, beside the version that is tested',
  (_, driver) => {
    const example = read(`examples/http-clients/${driver.example}.ts`).trimEnd()
    const sample = samples.find(({ code }) => code === example)
    expect(sample?.code).toBe(example)
    const { version } = JSON.parse(read(`node_modules/${driver.package}/package.json`))
    const [major, minor] = version.split('.')
    const heading = headingOf(sample?.line ?? 0)
    expect(heading).toMatch(new RegExp(` ${major}\\.${minor}$`))
  },
)
