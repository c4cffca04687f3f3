export interface ClaimTarget {
  /** `http://host:port` */
  readonly url: string
  readonly couponId: string
  /** The value of `Prefer`; undefined: none. */
  readonly prefer: string | undefined
}

export function claimsPath(couponId: string): string {
  return `/api/v1/coupons/${couponId}/claims`
}

/** A claim as the bytes of a request on a kept connection. */
export function claimRequest({ url, couponId, prefer }: ClaimTarget, userId: string): string {
  const body = `{"userId":"${userId}"}`
  const preference = prefer === undefined ? '' : `Prefer: ${prefer}\r\n`
  return (
    `POST ${claimsPath(couponId)} HTTP/1.1\r\nHost: ${new URL(url).host}\r\n${preference}` +
    `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  )
}
