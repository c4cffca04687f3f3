/** A batch of row changes as one statement a table. Each is idempotent: applying it again changes nothing. */
import type { CouponSnapshot } from '#domain/coupon'
import { arrayLiteral } from './database.ts'
import type { SqlParameter } from './database.ts'
import type { RowChanges } from './fold-rows.ts'

export interface Statement {
  readonly table: 'coupon' | 'coupon_issue' | 'claim_rejected'
  readonly text: string
  readonly parameters: readonly SqlParameter[]
}

type Cell = string | number | boolean | null

/** A column of the batch: its name, its type on the way in, and how a row gives it. */
interface Column<Row> {
  readonly name: string
  /** `time`: milliseconds since the epoch, stored as timestamptz. */
  readonly type: 'text' | 'bigint' | 'integer' | 'boolean' | 'double precision' | 'time'
  readonly of: (row: Row) => Cell
}

const couponColumns: readonly Column<CouponSnapshot>[] = [
  { name: 'coupon_id', type: 'text', of: (row) => row.couponId },
  { name: 'name', type: 'text', of: (row) => row.name },
  { name: 'stock', type: 'bigint', of: (row) => row.stock },
  { name: 'remaining', type: 'bigint', of: (row) => row.remaining },
  { name: 'per_user_limit', type: 'integer', of: (row) => row.perUserLimit },
  { name: 'starts_at', type: 'time', of: (row) => row.startsAt },
  { name: 'ends_at', type: 'time', of: (row) => row.endsAt },
  { name: 'discount_percent', type: 'double precision', of: (row) => discountOf(row).percent },
  { name: 'discount_amount', type: 'bigint', of: (row) => discountOf(row).amount },
  { name: 'discount_currency', type: 'text', of: (row) => discountOf(row).currency },
  { name: 'valid_until', type: 'time', of: (row) => row.validUntil },
  { name: 'paused', type: 'boolean', of: (row) => row.paused },
  { name: 'closed', type: 'boolean', of: (row) => row.closed },
  { name: 'opened_at', type: 'time', of: (row) => row.openedAt },
  { name: 'version', type: 'bigint', of: (row) => row.version },
]

const levelColumns: readonly Column<RowChanges['levels'][number]>[] = [
  { name: 'coupon_id', type: 'text', of: (row) => row.couponId },
  { name: 'remaining', type: 'bigint', of: (row) => row.remaining },
  { name: 'version', type: 'bigint', of: (row) => row.version },
]

const cancellationColumns: readonly Column<RowChanges['cancellations'][number]>[] = [
  { name: 'claim_id', type: 'text', of: (row) => row.claimId },
  { name: 'cancelled_at', type: 'time', of: (row) => row.cancelledAt },
]

const issueColumns: readonly Column<RowChanges['issues'][number]>[] = [
  { name: 'claim_id', type: 'text', of: (row) => row.claimId },
  { name: 'coupon_id', type: 'text', of: (row) => row.couponId },
  { name: 'user_id', type: 'text', of: (row) => row.userId },
  { name: 'sequence', type: 'bigint', of: (row) => row.sequence },
  { name: 'slot', type: 'integer', of: (row) => row.slot },
  { name: 'issued_at', type: 'time', of: (row) => row.issuedAt },
  { name: 'cancelled_at', type: 'time', of: (row) => row.cancelledAt },
]

const rejectionColumns: readonly Column<RowChanges['rejections'][number]>[] = [
  { name: 'claim_id', type: 'text', of: (row) => row.claimId },
  { name: 'coupon_id', type: 'text', of: (row) => row.couponId },
  { name: 'user_id', type: 'text', of: (row) => row.userId },
  { name: 'reason', type: 'text', of: (row) => row.reason },
  { name: 'rejected_at', type: 'time', of: (row) => row.rejectedAt },
]

const upsertCoupons =
  insertText('coupon', couponColumns) +
  ` on conflict (coupon_id) do update set ${couponColumns
    .slice(1)
    .map(({ name }) => `${name} = excluded.${name}`)
    .join(', ')} where coupon.version < excluded.version`

const updateLevels =
  'update coupon set remaining = fresh.remaining, version = fresh.version ' +
  `from ${rowsText(levelColumns)} where coupon.coupon_id = fresh.coupon_id and coupon.version < fresh.version`

const cancelIssues =
  'update coupon_issue set cancelled_at = fresh.cancelled_at ' +
  `from ${rowsText(cancellationColumns)} ` +
  'where coupon_issue.claim_id = fresh.claim_id and coupon_issue.cancelled_at is null'

const insertIssues = `${insertText('coupon_issue', issueColumns)} on conflict (claim_id) do nothing`

const insertRejections = `${insertText('claim_rejected', rejectionColumns)} on conflict (claim_id) do nothing`

/**
 * In the order to run them: claims given back first, because a slot they free may be taken by an issue of the same
 * batch. A conflict on anything but the claim id is a broken invariant and fails the batch.
 */
export function statementsOf(changes: RowChanges): Statement[] {
  const { coupons, levels, cancellations, issues, rejections } = changes
  const statements: Statement[] = []
  const add = <Row>(
    table: Statement['table'],
    text: string,
    columns: readonly Column<Row>[],
    rows: readonly Row[],
  ): void => {
    if (rows.length > 0) statements.push({ table, text, parameters: arraysOf(columns, rows) })
  }
  add('coupon', upsertCoupons, couponColumns, coupons)
  add('coupon', updateLevels, levelColumns, levels)
  add('coupon_issue', cancelIssues, cancellationColumns, cancellations)
  add('coupon_issue', insertIssues, issueColumns, issues)
  add('claim_rejected', insertRejections, rejectionColumns, rejections)
  return statements
}

/** The batch as a table `fresh`; arrays come as text, so that every driver passes them alike. */
function rowsText<Row>(columns: readonly Column<Row>[]): string {
  const arrays = columns.map(({ type }, index) => `$${index + 1}::text::${arrivingType(type)}[]`)
  const names = columns.map(({ name }) => name)
  const values = columns.map(({ name, type }) =>
    type === 'time' ? `timestamptz 'epoch' + ${name} * interval '1 millisecond' as ${name}` : name,
  )
  return `(select ${values.join(', ')} from unnest(${arrays.join(', ')}) as incoming (${names.join(', ')})) as fresh`
}

function insertText<Row>(table: string, columns: readonly Column<Row>[]): string {
  const names = columns.map(({ name }) => name).join(', ')
  return `insert into ${table} (${names}) select ${names} from ${rowsText(columns)}`
}

function arrivingType(type: Column<never>['type']): string {
  return type === 'time' ? 'bigint' : type
}

function arraysOf<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  return columns.map(({ of }) => arrayLiteral(rows.map(of)))
}

function discountOf({ discount }: CouponSnapshot): {
  readonly percent: number | null
  readonly amount: number | null
  readonly currency: string | null
} {
  const none = { percent: null, amount: null, currency: null }
  return discount === null ? none : { ...none, ...discount }
}
