import type { TestProject } from 'vitest/node'
import { findFirefox } from '../../support/engines/find.ts'
import { startSharedFirefox } from '../../support/engines/firefox.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The address of the Firefox that all files of the project use, one after the other. */
    firefox: string
  }
}

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const path = findFirefox()
  if (!path) return undefined
  const { address, close } = await startSharedFirefox(path)
  project.provide('firefox', address)
  return close
}
