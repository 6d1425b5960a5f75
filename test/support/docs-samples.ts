import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

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

const nameOf = (root: string, { file, line, isJsx }: Sample) =>
  join(root, `${file.replaceAll('/', '-')}-${line}.sample.${isJsx ? 'tsx' : 'ts'}`)

/** Reads the compiler options of tsconfig.json, with their paths made absolute. */
function readOptions(root: string): ts.CompilerOptions {
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(
    { ...config.config, files: [], include: [] },
    ts.sys,
    root,
  )
  // a sample may leave a variable for the reader to use
  return { ...options, noUnusedLocals: false, noUnusedParameters: false, skipLibCheck: true, noEmit: true }
}

/** Compiles every sample as a separate module. Returns the errors of each, in the same order. */
export function compileSamples(root: string, samples: readonly Sample[]): string[][] {
  const options = readOptions(root)
  const virtual = new Map(
    // padded with empty lines, so that errors have the line numbers of the document
    samples.map(sample => [
      nameOf(root, sample),
      `${'\n'.repeat(sample.line - 1)}${sample.code}\nexport {}\n`,
    ]),
  )
  const host = ts.createCompilerHost(options)
  const { fileExists, readFile, getSourceFile } = host
  host.fileExists = name => virtual.has(name) || fileExists(name)
  host.readFile = name => virtual.get(name) ?? readFile(name)
  host.getSourceFile = (name, version, ...rest) => {
    const source = virtual.get(name)
    return source === undefined
      ? getSourceFile(name, version, ...rest)
      : ts.createSourceFile(name, source, version)
  }
  const program = ts.createProgram([...virtual.keys()], options, host)
  return samples.map(sample => {
    const file = program.getSourceFile(nameOf(root, sample))
    if (!file) throw new Error(`${sample.file}:${sample.line} was not compiled.`)
    return ts.getPreEmitDiagnostics(program, file).map(({ start, messageText }) => {
      const { line } = file.getLineAndCharacterOfPosition(start ?? 0)
      return `${sample.file}:${line + 1}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
    })
  })
}

export const readSamples = (root: string, files: readonly string[]): Sample[] =>
  files.flatMap(file => findSamples(file, readFileSync(join(root, file), 'utf8')))
