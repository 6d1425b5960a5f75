import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compile } from './compile.ts'

/** One TypeScript block of a Markdown file. */
export interface Sample {
  /** Relative to the repository. */
  readonly file: string
  /** The line number of its first line of code, from 1. */
  readonly line: number
  readonly code: string
  /** Whether it contains JSX. */
  readonly isJsx?: boolean
  /** Why it is not compiled, from the comment `<!-- not compiled: reason -->` before it. */
  readonly exempt: string | undefined
}

const TYPESCRIPT = /^(ts|typescript|tsx|mts)$/

/** Finds every fenced block of TypeScript in `markdown`. */
export function findSamples(file: string, markdown: string): Sample[] {
  const samples: Sample[] = []
  const lines = markdown.split(/\r?\n/)
  let open: { fence: string; language: string; line: number; exempt: string | undefined } | undefined
  let before = ''
  lines.forEach((text, index) => {
    const fence = /^(\s*)(`{3,}|~{3,})\s*([^\s`{]*)/.exec(text)
    if (!open && fence) {
      const exempt = /^\s*<!-- not compiled: (\S.*) -->\s*$/.exec(before)?.[1]
      open = { fence: fence[2] ?? '', language: fence[3] ?? '', line: index + 2, exempt }
    } else if (open && text.trim().startsWith(open.fence) && /^[`~]+$/.test(text.trim())) {
      const code = lines.slice(open.line - 1, index).join('\n')
      const { line, exempt, language } = open
      const jsx = language === 'tsx' && { isJsx: true }
      if (TYPESCRIPT.test(language)) samples.push({ file, line, code, exempt, ...jsx })
      open = undefined
    }
    if (text.trim()) before = text
  })
  return samples
}

const nameOf = ({ file, line, isJsx }: Sample) =>
  `${file.replaceAll('/', '-')}-${line}.sample.${isJsx ? 'tsx' : 'ts'}`

/** Compiles every sample as a separate module. Resolves with the errors of each, in the same order. */
export async function compileSamples(root: string, samples: readonly Sample[]): Promise<string[][]> {
  mkdirSync(join(root, 'build'), { recursive: true })
  const folder = mkdtempSync(join(root, 'build', 'samples-')) // within the repository, for its node_modules
  try {
    // padded with empty lines, so that errors have the line numbers of the document
    for (const sample of samples)
      writeFileSync(
        join(folder, nameOf(sample)),
        `${'\n'.repeat(sample.line - 1)}${sample.code}\nexport {}\n`,
      )
    const { code, output } = await compile(folder, {
      extends: '../../tsconfig.json',
      // a sample may leave a variable for the reader to use
      compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
      include: ['*'],
      exclude: [],
    })
    const errors = [
      ...output.matchAll(/^(?:.*\/)?(\S+\.sample\.tsx?)\((\d+),\d+\): error \S+: (.*(?:\n +.*)*)/gm),
    ]
    if (code !== 0 && errors.length === 0) throw new Error(`The samples were not compiled: ${output}`)
    return samples.map(sample =>
      errors
        .filter(([, name]) => name === nameOf(sample))
        .map(([, , line, message = '']) => `${sample.file}:${line}: ${message.replaceAll(/\s*\n\s*/g, ' ')}`),
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export const readSamples = (root: string, files: readonly string[]): Sample[] =>
  files.flatMap(file => findSamples(file, readFileSync(join(root, file), 'utf8')))
