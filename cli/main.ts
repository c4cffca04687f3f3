/** The process: everything is loaded lazily from here, with the compiled code kept between starts. */
import { enableCompileCache } from 'node:module'
import { isProcessKind } from './process-kinds.ts'
import { catchStopSignals } from './stop-signal.ts'

enableCompileCache()

// A reader that has seen enough (`millrace config | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

const args = process.argv.slice(2)
if (isProcessKind(args[0])) catchStopSignals()
const { run } = await import('./program.ts')
process.exitCode = await run(args)
