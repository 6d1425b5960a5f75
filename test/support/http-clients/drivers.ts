import type { Driver } from './driver.ts'
import { jsonDrivers } from './drivers-json.ts'
import { protocolDrivers } from './drivers-protocol.ts'

export type { Driver, Library } from './driver.ts'

/** Every library of docs/http-clients.md. */
export const drivers: readonly Driver[] = [...jsonDrivers, ...protocolDrivers]

/** For tables whose titles begin with the name. */
export const driversByName = drivers.map(driver => [driver.name, driver] as const)
