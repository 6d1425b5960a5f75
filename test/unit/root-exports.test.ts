import { readFileSync } from 'node:fs'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { environmentGlobals } from '../support/layering-rules.ts'

const src = new URL('../../src/', import.meta.url)

/** The names that a file exports, including types and `export *`. */
function exportsOf(file: string): string[] {
  const url = new URL(file, src)
  const source = ts.createSourceFile(file, readFileSync(url, 'utf8'), ts.ScriptTarget.Latest)
  return source.statements.flatMap(statement => {
    if (ts.isExportDeclaration(statement)) {
      const { exportClause, moduleSpecifier } = statement
      if (exportClause && ts.isNamedExports(exportClause))
        return exportClause.elements.map(({ name }) => name.text)
      return moduleSpecifier && ts.isStringLiteral(moduleSpecifier) ? exportsOf(moduleSpecifier.text) : []
    }
    const isExported = ts.canHaveModifiers(statement)
      ? ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)
      : false
    if (!isExported) return []
    if (ts.isVariableStatement(statement))
      return statement.declarationList.declarations.map(({ name }) => name.getText(source))
    const { name } = statement as ts.FunctionDeclaration
    return name ? [name.text] : []
  })
}

const dom = [
  'Lock',
  'Fetch',
  'Request',
  'Response',
  'Event',
  'Channel',
  'Storage',
  'Cache',
  'Client',
  'Clients',
]

test.each(['index.ts', 'lazy.ts', 'node.ts'])(
  '%s exports what an app needs, and nothing internal to the platform [F4.13]',
  entry => {
    const names = exportsOf(entry)
    expect(names).toContain('createClient')
    expect(names).toContain('LatchkeyError')
    expect(names.length).toBeLessThanOrEqual(42)
    const platform = [...environmentGlobals, ...Object.getOwnPropertyNames(globalThis), ...dom]
    // "client" in the sense of a service worker's client is allowed, because the package is about clients
    expect(names.filter(name => platform.includes(name) && name !== 'Client')).toEqual([])
  },
)

test('authors of a store, a lock or an extension find their types at latchkey/extending [F4.13]', () => {
  const names = exportsOf('extending.ts')
  expect(names).toEqual(
    expect.arrayContaining(['KeyValue', 'Lock', 'Channel', 'Store', 'UserAgent', 'ExtensionHooks']),
  )
})
