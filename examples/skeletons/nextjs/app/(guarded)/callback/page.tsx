import { Guarded } from '../session'

export default function Callback() {
  return <Guarded path="/notes" />
}
