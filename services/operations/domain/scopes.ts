import { adminScope, platformAdminScope } from "../../runtime/auth/scopes.ts";

/** All scopes that can be granted to a key: those required by methods of the API, and `admin`. */
export const scopes = [
  adminScope,
  "audit.read",
  "customers.anonymize",
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

/** Scopes of the configured key. */
export const configuredScopes = [adminScope, platformAdminScope] as const;

const known: ReadonlySet<string> = new Set(scopes);

/** Returns the scopes in `wanted` that cannot be granted. */
export function unknownScopes(wanted: readonly string[]): string[] {
  return wanted.filter((scope) => !known.has(scope));
}

/**
 * Returns the scopes in `wanted` that a caller with the scopes `own` lacks. `admin` includes every scope of its tenant,
 * but not `platform.admin`.
 */
export function scopesBeyond(own: ReadonlySet<string>, wanted: readonly string[]): string[] {
  return wanted.filter((scope) => !own.has(scope) && (scope === platformAdminScope || !own.has(adminScope)));
}
