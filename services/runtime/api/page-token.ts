import { createHash } from "node:crypto";
import { invalidArgument } from "../errors.ts";

/** A value by which a list is sorted. */
export type PageKey = string | number | bigint;

const VERSION = 1;
const HASH_BYTES = 12;
const DEFAULT_PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 1000;

/**
 * The token of the page after a row: opaque text that holds the values by which the row is sorted. `query` is whatever
 * must be the same on the next page, such as the method, the tenant, the parent, the filter and the order; the page size may
 * change. The token is no secret and proves nothing: what it holds only says where to go on.
 */
export function encodePageToken(query: readonly string[], keys: readonly PageKey[]): string {
  const body = Buffer.from(JSON.stringify(keys.map(encodeKey)));
  return Buffer.concat([Buffer.of(VERSION), hashOf(query, body), body]).toString("base64url");
}

/**
 * The values in a token made for the same query; undefined for an empty token, which asks for the first page.
 * `kinds` are the types of the values, in order.
 *
 * @throws ConnectError INVALID_ARGUMENT, field `page_token`, for a token of another query, of another version of this
 *   method, or that is none of ours.
 */
export function decodePageToken<const Kinds extends readonly PageKeyKind[]>(
  token: string,
  query: readonly string[],
  kinds: Kinds,
): PageKeysOf<Kinds> | undefined {
  if (token === "") {
    return undefined;
  }
  const bytes = Buffer.from(token, "base64url");
  const body = bytes.subarray(1 + HASH_BYTES);
  if (bytes[0] !== VERSION || !bytes.subarray(1, 1 + HASH_BYTES).equals(hashOf(query, body))) {
    return refuse();
  }
  const keys = decodeKeys(body);
  if (keys?.length !== kinds.length || keys.some((key, i) => kindOf(key) !== kinds[i])) {
    return refuse();
  }
  return keys as unknown as PageKeysOf<Kinds>;
}

/** What {@link decodePageToken} is to find: text, or a whole number. */
export type PageKeyKind = "text" | "integer";

/** The types of the values; whole numbers come back as they went in, `bigint` beyond 2^53. */
export type PageKeysOf<Kinds extends readonly PageKeyKind[]> = {
  -readonly [Place in keyof Kinds]: Kinds[Place] extends "text" ? string : number | bigint;
};

/**
 * How many rows a page has (AIP-158): 50 when the caller says nothing, never more than 1,000.
 *
 * @throws ConnectError INVALID_ARGUMENT, field `page_size`, when it is negative.
 */
export function pageSizeOf(pageSize: number): number {
  if (pageSize < 0) {
    throw invalidArgument([{ field: "page_size", description: "must not be negative" }]);
  }
  return pageSize === 0 ? DEFAULT_PAGE_SIZE : Math.min(pageSize, MAX_PAGE_SIZE);
}

/**
 * The page in what was found, where one row more than its size was asked for: its rows, and the token of the page after
 * it, which is empty on the last one.
 */
export function pageOf<Row>(
  found: readonly Row[],
  size: number,
  query: readonly string[],
  keysOf: (row: Row) => readonly PageKey[],
): { rows: readonly Row[]; nextPageToken: string } {
  const rows = found.slice(0, size);
  const last = found.length > size ? rows.at(-1) : undefined;
  return { rows, nextPageToken: last === undefined ? "" : encodePageToken(query, keysOf(last)) };
}

/** Integers stand as text in an array of their own, as JSON's numbers are not exact. */
function encodeKey(key: PageKey): string | [string] {
  return typeof key === "string" ? key : [String(key)];
}

/** The values in a token, or undefined where `encodePageToken` cannot have written them: anyone can compute the hash. */
function decodeKeys(body: Buffer): PageKey[] | undefined {
  let keys: unknown;
  try {
    keys = JSON.parse(body.toString());
  } catch {
    return undefined;
  }
  const decoded = Array.isArray(keys) ? keys.map(decodeKey) : [undefined];
  return decoded.every((key) => key !== undefined) ? decoded : undefined;
}

function decodeKey(key: unknown): PageKey | undefined {
  if (typeof key === "string") {
    return key.isWellFormed() ? key : undefined;
  }
  const [digits, ...rest]: unknown[] = Array.isArray(key) ? key : [];
  if (typeof digits !== "string" || rest.length > 0 || !/^-?\d{1,19}$/.test(digits)) {
    return undefined;
  }
  const value = BigInt(digits);
  return BigInt.asIntN(64, value) === value ? toInteger(value) : undefined;
}

/** A `number` where it is exact, so that the database binds it as it binds the column's own values. */
function toInteger(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

function kindOf(key: PageKey): PageKeyKind {
  return typeof key === "string" ? "text" : "integer";
}

/** Over the query and the token's own content, so that a token cut short or misspelt is told from a whole one. */
function hashOf(query: readonly string[], body: Buffer): Buffer {
  const hash = createHash("sha256").update(JSON.stringify(query)).update("\n").update(body);
  return hash.digest().subarray(0, HASH_BYTES);
}

function refuse(): never {
  throw invalidArgument(
    [{ field: "page_token", description: "is not a page token of this request; begin again with an empty one" }],
    "INVALID_PAGE_TOKEN",
  );
}
