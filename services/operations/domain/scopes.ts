/** Every scope that a method of the contract asks for, and `admin`, which stands for all of them. */
export const scopes = [
  "admin",
  "items.read",
  "items.write",
  "operations.read",
  "operations.write",
  "orders.price",
  "orders.read",
  "orders.write",
  "payments.read",
  "payments.write",
  "shipments.read",
  "shipments.write",
] as const;

const known: ReadonlySet<string> = new Set(scopes);

/** Those of `wanted` that do not exist. */
export function unknownScopes(wanted: readonly string[]): string[] {
  return wanted.filter((scope) => !known.has(scope));
}

/** Those of `wanted` that somebody who has `own` cannot hand on. */
export function scopesBeyond(own: ReadonlySet<string>, wanted: readonly string[]): string[] {
  return own.has("admin") ? [] : wanted.filter((scope) => !own.has(scope));
}
