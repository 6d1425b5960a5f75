/** The worker's file of an app whose client has an extension. */
import { dpop } from 'latchkey/dpop'
import { serve } from 'latchkey/worker-host'

serve({ extensions: [dpop()] })
