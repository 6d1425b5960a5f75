import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const fromRoot = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/** `npm run test:live` runs against real services, which no other run contacts. */
export default defineConfig({
  root: fromRoot('.'),
  resolve: {
    alias: [
      { find: /^latchkey$/, replacement: fromRoot('src/index.ts') },
      { find: /^latchkey\/(.+)$/, replacement: fromRoot('src/$1.ts') },
    ],
  },
  test: {
    include: ['test/live/*.test.ts'],
    // the first run waits for a person to sign in
    testTimeout: 400_000,
    fileParallelism: false,
  },
})
