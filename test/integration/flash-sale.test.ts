import { flashSale } from '../scenarios/flash-sale.ts'

flashSale({ log: 'embedded' })
