import { describe, expect, test } from 'vitest'
import { toLatchkeyError } from '../../../src/authorization/failure.ts'

describe("the message for a failure that is neither the server's nor the network's", () => {
  test.each([
    ['a code', Object.assign(new Error('secret'), { code: 'ERR_CRYPTO' }), '(ERR_CRYPTO)'],
    ['a name only', new TypeError('secret'), '(TypeError)'],
    ['a name and a number as code', new DOMException('secret', 'OperationError'), '(OperationError)'],
    ['neither', {}, '(Error)'],
    ['no members, because it is a text', 'secret', '(Error)'],
    ['no members, because it is nothing', undefined, '(Error)'],
  ])('names what it can if that has %s', (_what, thrown, shown) => {
    const { message } = toLatchkeyError(thrown, 'The token request', 0)
    expect(message).toBe(
      `The token request failed: the response is invalid ${shown}. Report it to the server's operator.`,
    )
  })
})
