import { expect, test } from 'vitest'
import { ConfigurationError, StorageError } from '../../../src/errors.ts'
import { limited } from '../../../src/storage/limited.ts'
import { memoryKeyValue } from '../../../src/storage/memory.ts'
import { handClock } from '../../support/clock.ts'

const failing = (cause: Error) =>
  limited({ ...memoryKeyValue(), get: () => Promise.reject(cause) }, handClock())
    .get('a')
    .catch((error: unknown) => error)

test('a store that is missing a part says so in its own words, and no retry is promised [F8.15]', async () => {
  const cause = new ConfigurationError('This store needs a package: install it.')
  const error = await failing(cause)
  expect(error).toBeInstanceOf(StorageError)
  expect(error).toMatchObject({ message: cause.message, retryable: false, cause })
})

test('a store that fails otherwise may work later', async () => {
  expect(await failing(new Error('busy'))).toMatchObject({
    code: 'ERR_STORAGE',
    retryable: true,
    message: 'The token store could not be read. Try again.',
  })
})
