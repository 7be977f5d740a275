import type { HandlerContext } from "@connectrpc/connect";
import type { Expression, Kysely, RawBuilder, SelectQueryBuilder, SqlBool } from "kysely";
import type { Database, DialectName } from "../db/connect.ts";
import { compileFilter, type SqlFilterField } from "../db/filter-sql.ts";
import { afterRow, orderByKeys, type SortKey } from "../db/keyset.ts";
import { type OrderTerm, parseOrderBy } from "./order-by.ts";
import { decodePageToken, type PageKey, type PageKeyKind, pageSizeOf } from "./page-token.ts";
import { readPage } from "./read-page.ts";
import { readsFor } from "./reads-for.ts";

/** A value that rows are sorted by. */
export interface ListKey<Row> {
  /** Never NULL, see `SortKey`. */
  readonly sql: Expression<unknown>;
  readonly kind: PageKeyKind;
  readonly of: (row: Row) => PageKey;
}

/** How a list method filters, sorts and pages. */
export interface List<Row> {
  /** Name of the method, which its page tokens are bound to. */
  readonly method: string;
  /** Fields of `filter` (AIP-160); missing if there is no such request field. */
  readonly filter?: Readonly<Record<string, SqlFilterField>> | ((dialect: DialectName) => ListFilter);
  /** Fields of `order_by` (AIP-132); missing if there is no such request field. */
  readonly sort?: Readonly<Record<string, ListKey<Row>>>;
  /** A unique key, which ends every order and makes it total. */
  readonly unique: ListKey<Row>;
  /** The order without `order_by`: this direction, by these keys and the unique one. */
  readonly order: { readonly by?: readonly ListKey<Row>[]; readonly direction: "asc" | "desc" };
  /** Approximate size of a row in the response, in bytes. */
  readonly bytesOf: (row: Row) => number;
  /** Page size if the request has none. Default 50. */
  readonly defaultSize?: number;
  /** See `PageRead.firstRead`. */
  readonly firstRead?: number;
}

export type ListFilter = Readonly<Record<string, SqlFilterField>>;

/** A total order of a list. */
export interface ListOrder<Row> {
  readonly keys: readonly SortKey[];
  readonly kinds: readonly PageKeyKind[];
  keysOf(row: Row): PageKey[];
}

/** Which rows to select; apply it with {@link selectPage}. */
export interface ListPage {
  readonly where: RawBuilder<SqlBool> | undefined;
  readonly keys: readonly SortKey[];
  /** Values of the keys in the row before the page. */
  readonly after: readonly PageKey[] | undefined;
  readonly limit: number;
}

/** The request fields of a list method. */
export interface ListRequest {
  readonly pageSize: number;
  readonly pageToken: string;
  readonly filter?: string;
  readonly orderBy?: string;
}

export interface ReadListOptions<DB, Row> {
  readonly db: Database<DB>;
  readonly call: HandlerContext;
  readonly request: ListRequest;
  /** What the page token is bound to beside method, filter and order: the tenant and the parent. */
  readonly scope: readonly string[];
  /** Selects rows, on a handle for the caller's reads. */
  readonly read: (reads: Kysely<DB>, page: ListPage) => Promise<readonly Row[]>;
}

/**
 * Reads the page that a list request asks for, see `readPage`: bounded in rows and bytes, by keyset.
 *
 * @throws ConnectError INVALID_ARGUMENT for an invalid filter, order, page size or page token
 */
export async function readList<DB, Row>(
  list: List<Row>,
  { db, call, request, scope, read }: ReadListOptions<DB, Row>,
): Promise<{ rows: readonly Row[]; nextPageToken: string }> {
  const { filter = "", orderBy = "", pageSize, pageToken } = request;
  const order = orderOf(list, list.sort ? parseOrderBy(orderBy, Object.keys(list.sort)) : []);
  const query = [list.method, ...scope, ...(list.filter ? [filter] : []), ...(list.sort ? [orderBy] : [])];
  const size = pageSizeOf(pageSize || (list.defaultSize ?? 0));
  const after = decodePageToken(pageToken, query, order.kinds);
  const where = filterOf(list, filter, db.dialect);
  const reads = readsFor(db, call);
  return readPage<Row, readonly PageKey[]>({
    size,
    query,
    after,
    keysOf: order.keysOf,
    bytesOf: list.bytesOf,
    read: (from, limit) => read(reads, { where, keys: order.keys, after: from, limit }),
    ...(list.firstRead !== undefined && { firstRead: list.firstRead }),
  });
}

/** The total order of these terms; the last term's direction also applies to the unique key. */
export function orderOf<Row>(list: List<Row>, terms: readonly OrderTerm<string>[]): ListOrder<Row> {
  const { by = [], direction: usual } = list.order;
  const given = terms.flatMap(({ field, direction }) => {
    const key = list.sort?.[field];
    return key ? [{ key, direction }] : [];
  });
  const wanted = given.length > 0 ? given : by.map((key) => ({ key, direction: usual }));
  // Nothing sorts behind a unique key.
  const unique = wanted.findIndex(({ key }) => key === list.unique);
  const direction = wanted.at(-1)?.direction ?? usual;
  const sorted = unique < 0 ? [...wanted, { key: list.unique, direction }] : wanted.slice(0, unique + 1);
  return {
    keys: sorted.map(({ key, direction }) => ({ sql: key.sql, direction })),
    kinds: sorted.map(({ key }) => key.kind),
    keysOf: (row) => sorted.map(({ key }) => key.of(row)),
  };
}

/**
 * The condition of a filter.
 *
 * @throws ConnectError INVALID_ARGUMENT, reason INVALID_FILTER
 */
export function filterOf<Row>(
  { filter: fields = {} }: Pick<List<Row>, "filter">,
  filter: string,
  dialect: DialectName,
): RawBuilder<SqlBool> | undefined {
  return compileFilter(filter, typeof fields === "function" ? fields(dialect) : fields, dialect);
}

/** Restricts a query to the page, in its order. */
export function selectPage<DB, Tables extends keyof DB, Output>(
  query: SelectQueryBuilder<DB, Tables, Output>,
  { where, keys, after, limit }: ListPage,
): SelectQueryBuilder<DB, Tables, Output> {
  const filtered = where === undefined ? query : query.where(where);
  const rest = after === undefined ? filtered : filtered.where(afterRow(keys, after));
  return rest.orderBy(orderByKeys(keys)).limit(limit);
}
