import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { systemClock } from '#core'
import { startProgram } from '../../../cli/demo/program.ts'
import type { Program } from '../../../cli/demo/program.ts'
import { storeFaults } from '../../scenarios/stores.ts'

const directory = mkdtempSync(join(tmpdir(), 'millrace-second-sink-'))
let second: Program | undefined
afterAll(async () => {
  await second?.kill()
  rmSync(directory, { recursive: true, force: true })
})

storeFaults({
  log: 'kafka',
  apart: true,
  async secondSink(system, stores) {
    const environment = { ...system.environment, ...stores }
    second = await startProgram(directory, systemClock, { kind: 'sink', environment })
  },
})
