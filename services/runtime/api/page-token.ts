import { createHash } from "node:crypto";
import { invalidArgument } from "../errors.ts";

/** A sort value of a list. */
export type PageKey = string | number | bigint;

const VERSION = 1;
const HASH_BYTES = 12;
const DEFAULT_PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 1000;

/**
 * Encodes the token of the page after a row: an opaque text with the row's sort values. `query` is everything that must
 * be equal on the next page, such as the method, the tenant, the parent, the filter and the order; the page size may
 * change. The token is neither secret nor proof of anything: it only encodes a position.
 */
export function encodePageToken(query: readonly string[], keys: readonly PageKey[]): string {
  const body = Buffer.from(JSON.stringify(keys.map(encodeKey)));
  return Buffer.concat([Buffer.of(VERSION), hashOf(query, body), body]).toString("base64url");
}

/**
 * Decodes the sort values of a token made for the same query; undefined for an empty token, which means the first page.
 * `kinds` are the types of the values, in order.
 *
 * @throws ConnectError INVALID_ARGUMENT, field `page_token`, for a malformed token or one of another query or of
 * another version of this method.
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

/** Expected type of a value: text or an integer. */
export type PageKeyKind = "text" | "integer";

/** The decoded types. Integers round-trip exactly, as `bigint` beyond 2^53. */
export type PageKeysOf<Kinds extends readonly PageKeyKind[]> = {
  -readonly [Place in keyof Kinds]: Kinds[Place] extends "text" ? string : number | bigint;
};

/**
 * Resolves the page size (AIP-158): default 50, at most 1,000.
 *
 * @throws ConnectError INVALID_ARGUMENT, field `page_size`, if it is negative.
 */
export function pageSizeOf(pageSize: number): number {
  if (pageSize < 0) {
    throw invalidArgument([{ field: "page_size", description: "must not be negative" }]);
  }
  return pageSize === 0 ? DEFAULT_PAGE_SIZE : Math.min(pageSize, MAX_PAGE_SIZE);
}

/** Integers are encoded as text in an array, because JSON numbers are inexact. */
function encodeKey(key: PageKey): string | [string] {
  return typeof key === "string" ? key : [String(key)];
}

/**
 * Decodes the values, or returns undefined for content that `encodePageToken` never writes: the hash is not a
 * signature.
 */
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

/** A `number` if exact, so that the database binds it like the column's own values. */
function toInteger(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

function kindOf(key: PageKey): PageKeyKind {
  return typeof key === "string" ? "text" : "integer";
}

/** Hashes the query and the token's content, which detects truncated and mistyped tokens. */
function hashOf(query: readonly string[], body: Buffer): Buffer {
  const hash = createHash("sha256").update(JSON.stringify(query)).update("\n").update(body);
  return hash.digest().subarray(0, HASH_BYTES);
}

function refuse(): never {
  throw invalidArgument(
    [{ field: "page_token", description: "is not a page token of this request; start again with an empty one" }],
    "INVALID_PAGE_TOKEN",
  );
}
