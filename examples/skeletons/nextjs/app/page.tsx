import { Welcome } from './welcome'

export default function Home() {
  return <Welcome />
}
