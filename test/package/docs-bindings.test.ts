import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { findSamples } from '../support/docs-samples.ts'

const fromRoot = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const read = (path: string) => readFileSync(fromRoot(path), 'utf8')

const pages = ['react', 'vue', 'svelte', 'solid', 'angular'].map(name => `docs/${name}.md`)
const samples = pages.flatMap(page => findSamples(page, read(page)))

test.each(readdirSync(fromRoot('examples/bindings')))(
  'examples/bindings/%s is shown in a page of the docs',
  file => {
    expect(samples.map(({ code }) => code)).toContain(read(`examples/bindings/${file}`).trimEnd())
  },
)
