import ts from 'typescript'

/** A test that a document names. */
export interface Citation {
  /** Relative to the repository. */
  readonly path: string
  readonly title: string | undefined
}

const FOOTNOTE = /^\[\^([\w-]+)\]: (.*)$/gm

/**
 * Finds the tests that `markdown` names, in code or in links. Only footnotes contain titles, up to the end of the line or
 * the next citation; elsewhere the text after a colon is prose.
 */
export function findCitations(markdown: string): Citation[] {
  return markdown.split('\n').flatMap(line => {
    const note = line.startsWith('[^')
    return [...line.matchAll(/(?:`|\]\((?:\.\.\/)?)(test\/[\w./-]+)[^`)]*[`)](?:: (.+?)(?=; `|$))?/g)].map(
      ([, path = '', title]) => ({ path, title: note ? title?.trim() : undefined }),
    )
  })
}

/** Returns the names of the footnotes that the text uses, that it defines, and that cite no test by its title. */
export function findFootnotes(markdown: string) {
  const notes = [...markdown.matchAll(FOOTNOTE)]
  const text = markdown.replace(FOOTNOTE, '')
  return {
    used: [...new Set([...text.matchAll(/\[\^([\w-]+)\]/g)].map(([, name]) => name))],
    defined: notes.map(([, name]) => name),
    uncited: notes
      .filter(([, , note = '']) => !findCitations(`[^x]: ${note}`).some(({ title }) => title))
      .map(([, name]) => name),
  }
}

const CALLS = /^(test|it|describe|whereFound|inTerminal)\b/

/** Returns the titles of a test file without the ids of cases, each alone and with its outer titles (`outer > inner`). */
export function titlesIn(file: string, source: string): string[] {
  const found: string[] = []
  const visit = (node: ts.Node, outer: string): void => {
    let inner = outer
    if (ts.isCallExpression(node) && CALLS.test(node.expression.getText())) {
      const [first] = node.arguments
      if (first && ts.isStringLiteralLike(first)) {
        const title = first.text.replace(/ \[[^\]]*\]$/, '')
        inner = outer ? `${outer} > ${title}` : title
        found.push(...new Set([title, inner]))
      }
    }
    ts.forEachChild(node, child => visit(child, inner))
  }
  visit(ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true), '')
  return found
}
