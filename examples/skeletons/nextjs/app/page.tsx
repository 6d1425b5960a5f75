import { Welcome } from './session'

export default function Home() {
  return <Welcome returnTo="/notes" />
}
