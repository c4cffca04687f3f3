export { createGateway } from './gateway.ts'
export { createHealth } from './health.ts'
export type { HealthOptions } from './health.ts'
export { serveHttp } from './http-server.ts'
export type { HttpServer } from './http-server.ts'
export { problemCodes } from './http/problem.ts'
export type { ProblemCode } from './http/problem.ts'
export type {
  CouponReads,
  Gateway,
  GatewayOptions,
  Readiness,
  ReadinessCheck,
  UserCoupon,
  Winner,
} from './options.ts'
