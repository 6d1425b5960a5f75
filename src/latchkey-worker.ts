// The worker of `latchkey/worker` for clients without options that hold functions: one file, to be served as it is.
import { serve } from './worker/host.ts'

serve()
