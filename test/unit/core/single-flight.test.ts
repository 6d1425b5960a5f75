import { expect, test } from 'vitest'
import { singleFlight } from '../../../src/core/waiting.ts'

test('callers get the same promise while it is pending', async () => {
  const share = singleFlight<number>()
  let runs = 0
  const work = async () => ++runs
  const [one, other] = [share('key', work), share('key', work)]
  expect(one).toBe(other)
  expect(await one).toBe(1)
  expect(runs).toBe(1)
})

test('a settled promise is forgotten, also after a failure', async () => {
  const share = singleFlight<string>()
  await expect(share('key', () => Promise.reject(new Error('first')))).rejects.toThrow('first')
  expect(await share('key', async () => 'second')).toBe('second')
  expect(await share('key', async () => 'third')).toBe('third')
})

test('other keys and other flights do not share a promise', async () => {
  const [share, another] = [singleFlight<string>(), singleFlight<string>()]
  const results = await Promise.all([
    share('one', async () => 'one'),
    share('two', async () => 'two'),
    another('one', async () => 'another'),
  ])
  expect(results).toEqual(['one', 'two', 'another'])
})

test('a caller that waits for it may start the next one', async () => {
  const share = singleFlight<number>()
  const first = share('key', async () => 1)
  const second = first.then(() => share('key', async () => 2))
  expect(await second).toBe(2)
})
