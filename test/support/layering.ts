import { posix } from 'node:path'
import ts from 'typescript'
import {
  doors,
  edges,
  environmentGlobals,
  exceptions,
  globalObjects,
  impureGlobals,
  isIn,
  layers,
  nodeEntries,
} from './layering-rules.ts'

/** Sources by their path relative to src. */
export type Sources = Readonly<Record<string, string>>

interface Import {
  readonly specifier: string
  readonly node: ts.Node
}

/** Finds all imports of a file: statements, types, re-exports, `import()`, `import('…').Type`, `require`. */
function importsOf(file: ts.SourceFile): Import[] {
  const found: Import[] = []
  const visit = (node: ts.Node): void => {
    const specifier = specifierOf(node)
    if (specifier)
      found.push({ specifier: ts.isStringLiteralLike(specifier) ? specifier.text : '(computed)', node })
    ts.forEachChild(node, visit)
  }
  visit(file)
  return found
}

function specifierOf(node: ts.Node): ts.Node | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier
  if (ts.isExternalModuleReference(node)) return node.expression
  if (ts.isImportTypeNode(node)) return ts.isLiteralTypeNode(node.argument) ? node.argument.literal : node
  if (!ts.isCallExpression(node)) return undefined
  const isRequire = ts.isIdentifier(node.expression) && node.expression.text === 'require'
  const isImport = node.expression.kind === ts.SyntaxKind.ImportKeyword
  return isRequire || isImport ? (node.arguments[0] ?? node) : undefined
}

/** Finds identifiers that their file does not declare: the globals it uses as values or types. */
function freeIdentifiers(file: ts.SourceFile, checker: ts.TypeChecker): ts.Identifier[] {
  const free: ts.Identifier[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && !isLabel(node) && !isDeclared(node, checker)) free.push(node)
    ts.forEachChild(node, visit)
  }
  visit(file)
  return free
}

/** Whether an identifier only names a member of an object, parameter or module, not a global. */
function isLabel(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node
  if (ts.isQualifiedName(parent)) return parent.right === node
  if (ts.isBindingElement(parent)) return parent.propertyName === node
  if (ts.isImportSpecifier(parent)) return parent.propertyName === node
  if (ts.isExportSpecifier(parent)) return parent.propertyName !== undefined && parent.name === node
  if (ts.isShorthandPropertyAssignment(parent)) return false
  if (ts.isJsxAttribute(parent) || ts.isLabeledStatement(parent) || ts.isBreakOrContinueStatement(parent))
    return true
  return ts.isNamedTupleMember(parent) || ts.isMetaProperty(parent) || ts.isImportTypeNode(parent)
}

function isDeclared(node: ts.Identifier, checker: ts.TypeChecker): boolean {
  const symbol = ts.isShorthandPropertyAssignment(node.parent)
    ? checker.getShorthandAssignmentValueSymbol(node.parent)
    : checker.getSymbolAtLocation(node)
  // `declare const window: …` describes a global, and does not create a variable
  const real = symbol?.declarations?.filter(
    declaration => !(ts.getCombinedModifierFlags(declaration as ts.Declaration) & ts.ModifierFlags.Ambient),
  )
  return (real?.length ?? 0) > 0
}

/** The globals that an identifier uses, also as `globalThis.name` or `globalThis['name']`. */
function globalNames(node: ts.Identifier): string[] {
  if (!globalObjects.has(node.text)) return [node.text]
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent) && parent.expression === node)
    return [node.text, parent.name.text]
  if (ts.isQualifiedName(parent) && parent.left === node) return [node.text, parent.right.text]
  if (ts.isElementAccessExpression(parent) && ts.isStringLiteralLike(parent.argumentExpression))
    return [node.text, parent.argumentExpression.text]
  return [node.text]
}

const isType = (node: ts.Node): boolean => {
  for (let at: ts.Node | undefined = node; at; at = at.parent) if (ts.isTypeNode(at)) return true
  return false
}

/** Whether an identifier reads the clock or a random number: `Date.now`, `Math.random`, `new Date()`, `Date()`. */
function readsClockOrChance(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent) && parent.expression === node)
    return ['Date.now', 'Math.random'].includes(`${node.text}.${parent.name.text}`)
  if (node.text !== 'Date' || !(ts.isNewExpression(parent) || ts.isCallExpression(parent))) return false
  return ts.isCallExpression(parent) || !parent.arguments?.length
}

const resolve = (from: string, specifier: string): string =>
  posix.normalize(posix.join(posix.dirname(from), specifier))

function checkImport(path: string, specifier: string, sources: Sources): string | undefined {
  if (specifier.startsWith('node:'))
    return isIn(path, edges) ? undefined : `imports ${specifier}, which belongs in an adapter`
  if (!specifier.startsWith('.')) {
    const name = Object.keys(doors).find(door => specifier === door || specifier.startsWith(`${door}/`))
    if (!name) return `imports the package "${specifier}", which has no door`
    return isIn(path, doors[name] ?? []) ? undefined : `imports ${name} outside of its door`
  }
  const target = resolve(path, specifier)
  if (!(target in sources)) return `imports ${specifier}, which is not a file of src`
  const layer = layers.find(([files]) => isIn(path, files))
  if (!layer && !path.includes('/')) return undefined // an entry
  if (!layer) return 'has no layer in test/support/layering-rules.ts'
  const [files, mayImport] = layer
  const own = files.filter(folder => folder.endsWith('/') && path.startsWith(folder))
  const allowed = [...own, ...mayImport, ...(exceptions[path] ?? [])]
  return isIn(target, allowed) ? undefined : `may not import ${target}`
}

function checkStatements(file: ts.SourceFile, tell: (node: ts.Node, what: string) => void): void {
  for (const statement of file.statements) {
    const isDefault = ts.canHaveModifiers(statement)
      ? ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword)
      : false
    const named =
      ts.isExportDeclaration(statement) && statement.exportClause && ts.isNamedExports(statement.exportClause)
        ? statement.exportClause.elements
        : []
    if (isDefault || ts.isExportAssignment(statement) || named.some(({ name }) => name.text === 'default'))
      tell(statement, 'has a default export')
    if (ts.isVariableStatement(statement) && !(statement.declarationList.flags & ts.NodeFlags.Const))
      tell(statement, 'has module-level state that can be reassigned')
  }
}

function checkCoreSyntax(file: ts.SourceFile, tell: (node: ts.Node, what: string) => void): void {
  const visit = (node: ts.Node): void => {
    const waits =
      ts.isAwaitExpression(node) ||
      node.kind === ts.SyntaxKind.AsyncKeyword ||
      (ts.isForOfStatement(node) && node.awaitModifier)
    if (waits) tell(node, 'waits, and the core never does')
    ts.forEachChild(node, visit)
  }
  visit(file)
}

/** Finds import cycles, each once. */
function cycles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>()
  const found: string[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    const before = trail.indexOf(path)
    if (before >= 0) found.push(`${[...trail.slice(before), path].join(' -> ')}: a cycle of imports`)
    if (before >= 0 || done.has(path)) return
    for (const target of graph.get(path) ?? []) visit(target, [...trail, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  return found
}

/** Finds Node-only files that an entry for browsers would load. */
function nodeInBrowser(entry: string, graph: ReadonlyMap<string, readonly string[]>, nodeOnly: Set<string>) {
  const reached = new Set<string>()
  const visit = (path: string): void => {
    if (reached.has(path)) return
    reached.add(path)
    for (const target of graph.get(path) ?? []) visit(target)
  }
  visit(entry)
  return [...reached]
    .filter(path => nodeOnly.has(path))
    .map(path => `${entry}: reaches ${path}, which needs Node`)
}

function createProgram(sources: Sources): ts.Program {
  // without libraries, so that no declaration exists for globals
  const options: ts.CompilerOptions = { noLib: true, noResolve: true, allowImportingTsExtensions: true }
  const host: ts.CompilerHost = {
    getSourceFile: (name, version) =>
      sources[name] === undefined ? undefined : ts.createSourceFile(name, sources[name], version, true),
    getDefaultLibFileName: () => 'lib.d.ts',
    writeFile: () => undefined,
    getCurrentDirectory: () => '',
    getCanonicalFileName: name => name,
    useCaseSensitiveFileNames: () => true,
    getNewLine: () => '\n',
    fileExists: name => name in sources,
    readFile: name => sources[name],
  }
  return ts.createProgram(Object.keys(sources), { ...options, target: ts.ScriptTarget.ES2022 }, host)
}

/** Finds every violation of the layering rules, as `file:line: what`. Empty if there is none. */
export function checkLayering(sources: Sources): string[] {
  const program = createProgram(sources)
  const checker = program.getTypeChecker()
  const breaches: string[] = []
  const graph = new Map<string, string[]>()
  const nodeOnly = new Set<string>()

  for (const path of Object.keys(sources)) {
    const file = program.getSourceFile(path)
    if (!file) throw new Error(`${path} could not be parsed.`)
    const tell = (node: ts.Node, what: string) => {
      const { line } = file.getLineAndCharacterOfPosition(node.getStart(file))
      breaches.push(`${path}:${line + 1}: ${what}`)
    }
    const imports = importsOf(file)
    for (const { specifier, node } of imports) {
      const breach = checkImport(path, specifier, sources)
      if (breach) tell(node, breach)
      if (specifier.startsWith('node:')) nodeOnly.add(path)
    }
    graph.set(
      path,
      imports.map(({ specifier }) => resolve(path, specifier)).filter(to => to in sources),
    )
    checkStatements(file, tell)
    const isCore = isIn(path, ['core/'])
    if (isCore) checkCoreSyntax(file, tell)
    for (const node of freeIdentifiers(file, checker)) {
      const names = globalNames(node)
      const reached = !isIn(path, edges) && names.find(name => environmentGlobals.has(name))
      const impure = isCore && !isType(node) && names.find(name => impureGlobals.has(name))
      if (reached || impure) tell(node, `names the global "${reached || impure}"`)
      if (isCore && readsClockOrChance(node)) tell(node, 'reads the clock or chance')
    }
  }
  const reaching = Object.keys(sources).filter(path => !path.includes('/') && !nodeEntries.includes(path))
  return [...breaches, ...cycles(graph), ...reaching.flatMap(entry => nodeInBrowser(entry, graph, nodeOnly))]
}
