import { expect, test } from 'vitest'
import { AuthorizationRequiredError } from '../../src/node.ts'
import { type Driver, driversByName } from '../support/http-clients/drivers.ts'
import { libraryStage } from '../support/http-clients/stage.ts'

const stage = libraryStage()

const readOnce = async ({ connect }: Driver) => {
  const library = await connect(stage.client(), stage.api.origin)
  await library.read(7)
}

test.each(driversByName)(
  '%s rejects with the error that the docs name if the user is signed out',
  async (_, driver) => {
    const thrown: unknown = await readOnce(driver).catch(error => error)
    const { cause } = thrown as Error
    if (driver.errorIs === 'thrown') expect(thrown).toBeInstanceOf(AuthorizationRequiredError)
    if (driver.errorIs === 'cause') expect(cause).toBeInstanceOf(AuthorizationRequiredError)
    if (driver.errorIs === 'message') expect((cause as Error).message).toContain('AuthorizationRequiredError')
    expect(stage.api.requests).toEqual([])
    expect(stage.servers.tokenRequests).toEqual([])
  },
)
