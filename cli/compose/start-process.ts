import type { ProcessKind } from '../process-kinds.ts'
import type { ProgramOptions, RunningProgram } from './running-program.ts'

type Start = (options: ProgramOptions) => Promise<RunningProgram>

const starts: Readonly<Record<ProcessKind, () => Promise<Start>>> = {
  start: async () => (await import('./program.ts')).startProgram,
  gateway: async () => (await import('./gateway-process.ts')).startGatewayProcess,
  processor: async () => (await import('./worker-process.ts')).startProcessorProcess,
  sink: async () => (await import('./worker-process.ts')).startSinkProcess,
}

/** Starts one kind of process, and loads only what that needs. Resolves once it listens. */
export async function startProcess(kind: ProcessKind, options: ProgramOptions): Promise<RunningProgram> {
  const start = await starts[kind]()
  return start(options)
}
