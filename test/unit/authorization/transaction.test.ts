import { describe, expect, test } from 'vitest'
import { createTransactions, type Transaction } from '../../../src/authorization/transaction.ts'
import { memoryKeyValue } from '../../../src/storage/memory.ts'
import { handClock } from '../../support/clock.ts'

const HOUR = 3_600_000

function setUp() {
  const clock = handClock()
  const place = memoryKeyValue()
  const transactions = createTransactions(place, 'app transaction ', clock)
  const transaction = (state: string): Transaction => ({
    schema: 1,
    state,
    codeVerifier: 'secret-verifier',
    nonce: 'secret-nonce',
    redirectUri: 'https://app.example.com/callback',
    scope: 'openid',
    returnTo: 'https://app.example.com/notes',
    createdAt: clock.now(),
    epoch: 0,
    stage: 'waiting',
  })
  return { clock, place, transactions, transaction }
}

describe('a transaction', () => {
  test('is found by its state and by no other', async () => {
    const { transactions, transaction } = setUp()
    const saved = transaction('lk.a.1')
    await transactions.save(saved)
    expect(await transactions.find('lk.a.1')).toEqual(saved)
    expect(await transactions.find('lk.a.2')).toBeUndefined()
    expect(await transactions.find('')).toBeUndefined()
  })

  test('is invalid if its creation time is not a number', async () => {
    const { place, transactions, transaction } = setUp()
    const createdAt = { toString: 1, valueOf: null }
    await place.update('app transaction lk.a.1', () => ({ ...transaction('lk.a.1'), createdAt }))
    expect(await transactions.find('lk.a.1')).toBeUndefined()
    expect(await transactions.all()).toEqual([])
  })

  test('can coexist with others', async () => {
    const { transactions, transaction } = setUp()
    await Promise.all(['lk.a.1', 'lk.a.2', 'lk.a.3'].map(state => transactions.save(transaction(state))))
    for (const state of ['lk.a.1', 'lk.a.2', 'lk.a.3'])
      expect(await transactions.find(state)).toMatchObject({ state })
  })

  test('is deleted an hour later, when the next one starts [RS04, ST10]', async () => {
    const { clock, place, transactions, transaction } = setUp()
    await transactions.save(transaction('lk.a.1'))
    clock.advance(HOUR - 1)
    expect(await transactions.find('lk.a.1')).toBeDefined()
    clock.advance(1)
    expect(await transactions.find('lk.a.1')).toBeUndefined()
    // until then it is remembered as known
    expect(await transactions.isTooOld('lk.a.1')).toBe(true)
    expect(await transactions.isTooOld('lk.a.2')).toBe(false)
    await transactions.save(transaction('lk.a.2'))
    expect(await transactions.isTooOld('lk.a.2')).toBe(false)
    expect(await place.keys('')).toEqual(['app transaction lk.a.2'])
  })

  test('from a clock that has since been set back by an hour is deleted too', async () => {
    const { clock, transactions, transaction } = setUp()
    await transactions.save({ ...transaction('lk.a.1'), createdAt: clock.now() + HOUR })
    expect(await transactions.find('lk.a.1')).toBeUndefined()
  })

  test('is one of at most twenty: the oldest are deleted [ST10]', async () => {
    const { clock, place, transactions, transaction } = setUp()
    for (let number = 1; number <= 25; number++) {
      await transactions.save(transaction(`lk.a.${number}`))
      clock.advance(1000)
    }
    expect(await place.keys('')).toHaveLength(20)
    expect(await transactions.find('lk.a.5')).toBeUndefined()
    expect(await transactions.find('lk.a.6')).toBeDefined()
    expect(await transactions.find('lk.a.25')).toBeDefined()
  })

  test.each(['failed', 'signed-in', 'signed-out'] as const)(
    'keeps no secret in the stage %s, but its existence is remembered [F5.4]',
    async stage => {
      const { place, transactions, transaction } = setUp()
      const saved = transaction('lk.a.1')
      await transactions.save(saved)
      await transactions.move(saved, stage)
      expect(await transactions.find('lk.a.1')).toMatchObject({ stage, returnTo: saved.returnTo })
      expect(JSON.stringify(await place.get('app transaction lk.a.1'))).not.toContain('secret')
    },
  )

  test('keeps what its callback needs while that may arrive again', async () => {
    const { transactions, transaction } = setUp()
    const saved = transaction('lk.a.1')
    await transactions.move(saved, 'returned')
    expect(await transactions.find('lk.a.1')).toEqual({ ...saved, stage: 'returned' })
  })

  test('from version 0.1.0 is completed by this version', async () => {
    const { place, transactions, transaction } = setUp()
    const { epoch: _, stage: __, ...old } = transaction('lk.a.1')
    await place.update('app transaction lk.a.1', () => old)
    expect(await transactions.find('lk.a.1')).toEqual({ ...old, stage: 'waiting' })
    await place.update('app transaction lk.a.1', () => ({ ...old, codeVerifier: '', done: true }))
    expect(await transactions.find('lk.a.1')).toMatchObject({ stage: 'signed-in' })
  })

  test.each([null, 42, 'text', [], {}, { schema: 2 }, { schema: 1, createdAt: 'now' }])(
    'that is damaged, %j, is ignored and blocks nothing [ST03, ST10]',
    async stored => {
      const { place, transactions, transaction } = setUp()
      await place.update('app transaction lk.a.1', () => stored)
      expect(await transactions.find('lk.a.1')).toBeUndefined()
      await transactions.save(transaction('lk.a.2'))
      expect(await place.keys('')).toEqual(['app transaction lk.a.2'])
    },
  )

  test('of another client is left alone', async () => {
    const { place, transactions, transaction } = setUp()
    await place.update('another transaction lk.a.1', () => ({ theirs: true }))
    await transactions.save(transaction('lk.a.2'))
    expect(await place.get('another transaction lk.a.1')).toEqual({ theirs: true })
  })
})
