import { storeFaults } from '../scenarios/stores.ts'

storeFaults({})
