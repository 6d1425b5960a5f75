import { hostKeyValue } from '../../src/storage/host.ts'
import { keyValueContract } from './key-value.ts'

const places: Map<string, string>[] = []
const hostOf = (place: Map<string, string>) => {
  const turn = () => new Promise<void>(resolve => setImmediate(resolve))
  return hostKeyValue({
    get: key => turn().then(() => place.get(key)),
    set: (key, value) => turn().then(() => void place.set(key, value)),
    remove: key => turn().then(() => void place.delete(key)),
  })
}

keyValueContract('hostStore', {
  create() {
    places.push(new Map())
    return hostOf(places.at(-1) as Map<string, string>)
  },
  damage: async key => void places.at(-1)?.set(key, '{"word": "gr'),
})
