/** The program's default, so that it can go on with what a benchmark prepared. */
export const appId = 'coupon'
