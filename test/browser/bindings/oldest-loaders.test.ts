import { describe } from 'vitest'
import { commands } from 'vitest/browser'

// the same tests as in this folder: middleware needs a newer React Router than loaders
for (const { name, file } of await commands.bundleBindings('oldestLoaders'))
  describe(`oldest loaders: ${name}`, () => import(/* @vite-ignore */ file))
