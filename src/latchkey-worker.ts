// The worker of `latchkey/worker` for clients whose options contain no functions: one file that the app serves unchanged.
import { serve } from './worker/host.ts'

serve()
