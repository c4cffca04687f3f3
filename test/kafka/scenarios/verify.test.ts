import { damage } from '../../scenarios/verify.ts'

damage({ log: 'kafka' })
