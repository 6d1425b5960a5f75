import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, inject, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (file: string) => readFileSync(join(root, file), 'utf8')

/** The code blocks of a document that are also files of `folder`. */
const filesIn = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(file => /\.([cm]?[jt]sx?|svelte|vue)$/.test(file) && !file.endsWith('.d.ts'))
    .map(file => `${folder}/${file}`)

const blocksOf = (doc: string) =>
  [...read(doc).matchAll(/^```(?:tsx?|js|svelte|vue)\n([\s\S]*?)^```$/gm)].map(([, code = '']) =>
    code.trimEnd(),
  )

test.each([
  ['docs/testing.md', 'examples/testing'],
  ['docs/inspector.md', 'examples/inspector'],
  ['docs/react.md', 'examples/bindings'],
  ['docs/vue.md', 'examples/bindings'],
  ['docs/svelte.md', 'examples/bindings'],
  ['docs/solid.md', 'examples/bindings'],
  ['docs/angular.md', 'examples/bindings'],
])('every code block of %s is a file of %s, which tests run or compile', (doc, folder) => {
  const files = filesIn(folder).map(file => read(file).trimEnd())
  const blocks = blocksOf(doc)
  expect(blocks.length).toBeGreaterThan(0)
  expect(blocks.filter(block => !files.includes(block))).toEqual([])
})

/** The name by which links reach a heading. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-')

test('every link and picture of the packed documents leads to a file and a heading of the package [F4.14]', () => {
  const { folder } = inject('packed')
  const pages = ['README.md', ...readdirSync(join(folder, 'docs')).map(name => join('docs', name))]
  const markdown = pages.filter(page => page.endsWith('.md'))
  const textOf = (page: string) => readFileSync(join(folder, page), 'utf8').replace(/^```[\s\S]*?^```/gm, '')
  const headings = new Map(
    markdown.map(page => [
      page,
      [...textOf(page).matchAll(/^#+ (.*)$/gm)].map(([, text = '']) => anchorOf(text)),
    ]),
  )
  const links = markdown.flatMap(page =>
    [...textOf(page).matchAll(/(?:\]\(|src=")([^)"\s]+)[)"]/g)].map(([, target = '']) => ({ page, target })),
  )
  const inPackage = links.filter(({ target }) => !/^[a-z]+:/.test(target))
  expect(inPackage.length).toBeGreaterThan(100)
  const broken = inPackage.filter(({ page, target }) => {
    const [path, anchor] = target.split('#')
    const file = path ? join(folder, dirname(page), path) : join(folder, page)
    if (!existsSync(file)) return true
    return anchor !== undefined && !headings.get(relative(folder, file))?.includes(anchor)
  })
  expect(broken).toEqual([])
})
