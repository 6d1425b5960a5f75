import { expect, test } from 'vitest'
import { ensureServices } from '../support/services.ts'

/** A machine with one service and without another, where the installer ends with `problem`. */
function machine({ problem, isRequired = true }: { problem?: string; isRequired?: boolean } = {}) {
  let isInstalled = false
  const installed: string[][] = []
  const ports = {
    wanted: {
      Redis: { packages: ['redis-server'], isHere: () => true },
      nginx: { packages: ['nginx', 'njs'], isHere: () => isInstalled },
    },
    async install(args: readonly string[]) {
      installed.push([...args])
      isInstalled = problem === undefined
      return problem
    },
    isRequired,
  }
  return { installed, ensure: (more: object = {}) => ensureServices(() => {}, { ...ports, ...more }) }
}

test('only missing services are installed', async () => {
  const { ensure, installed } = machine()
  expect(await ensure()).toBe('Redis, nginx')
  expect(installed).toEqual([['--no-install-recommends', 'nginx', 'njs']])
  expect(await ensure()).toBe('Redis, nginx')
  expect(installed).toHaveLength(1)
})

test('a run that requires everything is red if a service cannot be installed, and says why', async () => {
  const { ensure } = machine({ problem: 'apt-get install failed' })
  await expect(ensure()).rejects.toThrow('apt-get install failed. nginx is missing: install nginx, njs.')
})

test('a run that requires everything is red if a service is missing and nothing can be installed', async () => {
  const { ensure } = machine()
  await expect(ensure({ install: null })).rejects.toThrow('nginx is missing: install nginx, njs.')
})

test('another run names the services that are there', async () => {
  const { ensure } = machine({ problem: 'apt-get install failed', isRequired: false })
  expect(await ensure()).toBe('Redis')
})
