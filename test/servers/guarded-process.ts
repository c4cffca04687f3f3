/** Child processes that end with us, however we end. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'

export interface GuardedProcess {
  /** What it has written so far, both streams; the last 16 KiB. */
  output(): string
  /** True once it has ended. */
  ended(): boolean
  /** Resolves once it has ended, for whatever reason. */
  readonly end: Promise<void>
  /**
   * Sends it a signal, without SIG: KILL, STOP, CONT. Resolves once it is sent (STOP: once the process stands still), or
   * the process has ended.
   */
  signal(name: string): Promise<void>
  /** Ends it and waits for that. */
  stop(): Promise<void>
}

/**
 * A shell between us and the command holds the read end of a pipe: when this process is gone, killed even, the pipe
 * closes and the shell ends the command and runs `cleanup`. Until then a line in the pipe is a signal for the command,
 * answered by a line when it is sent, STOP when it has taken effect. A stopped process hears nothing but KILL: it is
 * continued so that it can end.
 */
const guard = `
  "$@" </dev/null &
  child=$!
  (
    # The end of this process may meet an answer: it must still end the command.
    trap '' PIPE
    while read -r signal; do
      kill -"$signal" "$child" 2>/dev/null
      # It still answers until the system gets to it: ten seconds at the most.
      looks=500
      while [ "$signal" = STOP ] && [ "$looks" -gt 0 ] && kill -0 "$child" 2>/dev/null; do
        if [ -r "/proc/$child/status" ]; then state=$(sed -n 's/^State:[[:space:]]*//p' "/proc/$child/status")
        else state=$(ps -o state= -p "$child"); fi 2>/dev/null
        case "$state" in T*) break ;; esac
        looks=$((looks - 1))
        sleep 0.02
      done
      echo sent >&3
    done
    kill -"$STOP_SIGNAL" "$child" 2>/dev/null && kill -CONT "$child" 2>/dev/null
  ) <&3 &
  # Our pipes may be closed by now, and a shell that says "Killed" into one would end before its cleanup.
  exec >/dev/null 2>&1
  wait "$child"
  wait "$child" 2>/dev/null
  eval "$CLEANUP"`

export interface GuardedOptions {
  readonly command: readonly [string, ...string[]]
  /** Without SIG: what the command takes as "stop now". */
  readonly stopSignal: string
  /** Shell text run when it has ended. */
  readonly cleanup?: string
  /** Runs as this user instead of ours. */
  readonly user?: SystemUser
}

export interface SystemUser {
  readonly uid: number
  readonly gid: number
}

const outputBytesMax = 16 * 1024
const newline = 0x0a

export function startGuarded({ command, stopSignal, cleanup = ':', user }: GuardedOptions): GuardedProcess {
  const child: ChildProcess = spawn('sh', ['-c', guard, 'sh', ...command], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, STOP_SIGNAL: stopSignal, CLEANUP: cleanup },
    // A Ctrl-C in the terminal is for us; we end the server ourselves.
    detached: true,
    ...user,
  })
  let output = ''
  let ended = false
  const collect = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-outputBytesMax)
  }
  child.stdout?.on('data', collect)
  child.stderr?.on('data', collect)
  const end = new Promise<void>((resolve) => {
    const done = (): void => {
      ended = true
      resolve()
    }
    child.once('exit', done)
    child.once('error', (error) => {
      output += error.message
      done()
    })
  })
  // A server must not keep the test run alive.
  child.unref()
  const pipe = child.stdio[3] as unknown as {
    write(line: string): void
    end(): void
    unref?(): void
    on(event: 'error', heard: () => void): void
    on(event: 'data', heard: (lines: Buffer) => void): void
  }
  pipe.on('error', () => {})
  const unanswered: (() => void)[] = []
  pipe.on('data', (lines) => {
    for (const byte of lines) if (byte === newline) unanswered.shift()?.()
  })
  return {
    output: () => output,
    ended: () => ended,
    end,
    async signal(name) {
      if (ended) return
      const sent = new Promise<void>((resolve) => unanswered.push(resolve))
      pipe.write(`${name}\n`)
      await Promise.race([sent, end])
    },
    async stop() {
      pipe.end()
      child.ref()
      await end
    },
  }
}
