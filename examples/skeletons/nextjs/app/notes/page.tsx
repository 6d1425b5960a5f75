import { Guarded } from '../session'
import { Notes } from './notes'

export default function NotesPage() {
  return (
    <Guarded path="/notes">
      <Notes />
    </Guarded>
  )
}
