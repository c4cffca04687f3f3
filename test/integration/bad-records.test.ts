import { badRecords } from '../scenarios/bad-records.ts'

badRecords({ log: 'embedded' })
