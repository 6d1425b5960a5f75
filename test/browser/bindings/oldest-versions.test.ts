import { describe } from 'vitest'
import { commands } from 'vitest/browser'

// the same tests as in this folder; two versions of Angular cannot share a page
for (const { name, file } of await commands.bundleBindings('oldest'))
  describe(`oldest: ${name}`, () => import(/* @vite-ignore */ file))
