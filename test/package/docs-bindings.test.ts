import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { compileScript, compileTemplate, parse } from 'vue/compiler-sfc'

const fromRoot = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const read = (path: string) => readFileSync(fromRoot(path), 'utf8')

const pages = ['react', 'vue', 'svelte', 'solid', 'angular'].map(name => `docs/${name}.md`)
const blocks = pages.flatMap(page =>
  [...read(page).matchAll(/^```\w+\n([\s\S]*?)^```$/gm)].map(([, code = '']) => code.trimEnd()),
)

test.each(readdirSync(fromRoot('examples/bindings')))(
  'examples/bindings/%s is shown in a page of the docs',
  file => {
    expect(blocks).toContain(read(`examples/bindings/${file}`).trimEnd())
  },
)

/** The functions and constants that a module exports, and whether their documentation has an example. */
const documented = (source: string) =>
  [...source.matchAll(/(\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n)?export (?:const|function) (\w+)/g)].map(
    ([, comment = '', name = '']) => ({ name, hasExample: comment.includes('@example') }),
  )

const inner = 'session-gate.ts'
const modules = readdirSync(fromRoot('src/bindings')).filter(file => file !== inner)

test.each(modules)('everything that src/bindings/%s exports has an example', file => {
  const found = documented(read(`src/bindings/${file}`))
  const withExample = new Set(found.filter(one => one.hasExample).map(one => one.name))
  expect(found.length).toBeGreaterThan(0)
  // the first of several signatures has the example
  expect(found.map(one => one.name).filter(name => !withExample.has(name))).toEqual([])
})

test('onUserChange(), which every binding exports, has an example', () => {
  expect(documented(read(`src/bindings/${inner}`))).toContainEqual({ name: 'onUserChange', hasExample: true })
})

test('the Vue component of docs/vue.md compiles', () => {
  const filename = 'examples/bindings/keyed.vue'
  const { descriptor, errors } = parse(read(filename), { filename })
  const { bindings } = compileScript(descriptor, { id: filename })
  const source = descriptor.template?.content ?? ''
  const compiled = compileTemplate({
    id: filename,
    filename,
    source,
    compilerOptions: { bindingMetadata: bindings },
  })
  expect([...errors, ...compiled.errors]).toEqual([])
  expect(compiled.code).toContain('key: $setup.user')
})
