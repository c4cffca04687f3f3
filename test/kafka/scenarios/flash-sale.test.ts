import { flashSale } from '../../scenarios/flash-sale.ts'

flashSale({ log: 'kafka', apart: true })
