import { kills } from '../../scenarios/kill.ts'

kills({ log: 'kafka' })
