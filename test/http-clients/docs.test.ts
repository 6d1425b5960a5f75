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

/** The heading above a line of the document. */
const headingOf = (line: number) =>
  doc
    .split('\n')
    .slice(0, line)
    .findLast(text => text.startsWith('## '))

test('every example uses a tested library, and every tested library has an example', () => {
  const files = readdirSync(fromRoot('examples/http-clients'))
  expect(files.sort()).toEqual(drivers.map(({ example }) => `${example}.ts`).sort())
})

test.each(driversByName)('the docs show %s as it is tested, with the tested version', (_, driver) => {
  const example = read(`examples/http-clients/${driver.example}.ts`).trimEnd()
  const sample = samples.find(({ code }) => code === example)
  expect(sample?.code).toBe(example)
  const { version } = JSON.parse(read(`node_modules/${driver.package}/package.json`))
  const [major, minor] = version.split('.')
  const heading = headingOf(sample?.line ?? 0)
  expect(heading).toMatch(new RegExp(` ${major}\\.${minor}$`))
})
