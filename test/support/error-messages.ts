import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/** A message of latchkey's errors. `…` stands for a variable part. */
export interface Message {
  readonly code: string
  readonly message: string
  /** Relative to src. */
  readonly file: string
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const PAGE = join(root, 'docs/errors.md')
const [BEGIN, END] = ['<!-- messages -->', '<!-- /messages -->']

/** The codes of the error classes. AuthorizationRequiredError is missing because it creates its message itself. */
const CODES: Readonly<Record<string, string>> = {
  ConfigurationError: 'ERR_CONFIGURATION',
  CallbackError: 'ERR_CALLBACK',
  ServerError: 'ERR_SERVER',
  NetworkError: 'ERR_NETWORK',
  StorageError: 'ERR_STORAGE',
  LockTimeoutError: 'ERR_LOCK_TIMEOUT',
}

/** The possible texts of an expression; none if they are not in this file. */
function textsOf(
  expression: ts.Expression | undefined,
  constants: ReadonlyMap<string, ts.Expression>,
  depth = 0,
): string[] {
  if (!expression || depth > 5) return []
  const inner = (part: ts.Expression) => textsOf(part, constants, depth + 1)
  if (ts.isStringLiteralLike(expression)) return [expression.text]
  if (ts.isTemplateExpression(expression)) {
    const { head, templateSpans } = expression
    let texts = [head.text]
    for (const { expression: part, literal } of templateSpans) {
      const found = inner(part)
      const choices = found.length && found.length < 4 ? found : ['…']
      texts = texts.flatMap(text => choices.map(choice => text + choice + literal.text)).slice(0, 8)
    }
    return texts
  }
  if (ts.isBinaryExpression(expression) && expression.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    const [left, right] = [inner(expression.left), inner(expression.right)]
    return left.length && right.length ? left.flatMap(one => right.map(other => one + other)) : []
  }
  if (ts.isConditionalExpression(expression))
    return [...inner(expression.whenTrue), ...inner(expression.whenFalse)]
  if (ts.isIdentifier(expression)) return inner(constants.get(expression.text) as ts.Expression)
  return []
}

/** The texts that other files may import, by name. */
const exportedTexts = ({ statements }: ts.SourceFile): [string, ts.Expression][] =>
  statements
    .filter(ts.isVariableStatement)
    .filter(({ modifiers }) => modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword))
    .flatMap(({ declarationList }) => [...declarationList.declarations])
    .flatMap(({ name, initializer }): [string, ts.Expression][] =>
      ts.isIdentifier(name) && initializer && ts.isStringLiteralLike(initializer)
        ? [[name.text, initializer]]
        : [],
    )

/** Finds every message whose text is in the source. */
export function readMessages(): Message[] {
  const messages: Message[] = []
  const src = join(root, 'src')
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'))
  const sources = files
    .sort()
    .map(file => ts.createSourceFile(file, readFileSync(join(src, file), 'utf8'), ts.ScriptTarget.Latest))
  const exported = new Map(sources.flatMap(exportedTexts))
  for (const source of sources) {
    const file = source.fileName
    const constants = new Map(exported)
    const visit = (node: ts.Node): void => {
      const isNamed = ts.isVariableDeclaration(node) || ts.isParameter(node)
      if (isNamed && ts.isIdentifier(node.name) && node.initializer)
        constants.set(node.name.text, node.initializer)
      if (ts.isNewExpression(node) && ts.isIdentifier(node.expression)) {
        const code = CODES[node.expression.text]
        for (const message of code ? textsOf(node.arguments?.[0], constants) : [])
          if (/[a-z]{3}/.test(message))
            messages.push({ code: code as string, message, file: file.replaceAll('\\', '/') })
      }
      ts.forEachChild(node, visit)
    }
    visit(source)
  }
  const seen = new Set<string>()
  return messages.filter(({ code, message }) => !seen.has(code + message) && seen.add(code + message))
}

/** Formats the messages as one table for each code. */
export function formatMessages(messages: readonly Message[]): string {
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('\n', ' ')
  const tables = Object.values(CODES).map(code => {
    const rows = messages.filter(message => message.code === code)
    const lines = rows.map(({ message, file }) => `| ${cell(message)} | \`${file}\` |`)
    return `### Messages of ${code}\n\n| message | from |\n| --- | --- |\n${lines.join('\n')}\n`
  })
  return `${BEGIN}\n\n${tables.filter(table => table.split('\n').length > 6).join('\n')}\n${END}`
}

/** Returns the current messages in docs/errors.md, the expected ones, and the corrected page. */
export function comparePage(): { found: string; page: string; expected: string } {
  const page = readFileSync(PAGE, 'utf8')
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END) + END.length]
  const expected = formatMessages(readMessages())
  return { found: page.slice(from, to), expected, page: page.slice(0, from) + expected + page.slice(to) }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(PAGE, comparePage().page)
