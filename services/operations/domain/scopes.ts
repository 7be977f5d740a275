import { adminScope, platformAdminScope } from "../../runtime/auth/scopes.ts";

/** Every scope that a key can be given: what the methods of the contract ask for, and `admin`. */
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

/** The scopes of the configured key. */
export const configuredScopes = [adminScope, platformAdminScope] as const;

const known: ReadonlySet<string> = new Set(scopes);

/** Those of `wanted` that cannot be granted. */
export function unknownScopes(wanted: readonly string[]): string[] {
  return wanted.filter((scope) => !known.has(scope));
}

/**
 * Those of `wanted` that a caller with the scopes `own` does not have itself. `admin` has every scope of its tenant, which
 * `platform.admin` is not.
 */
export function scopesBeyond(own: ReadonlySet<string>, wanted: readonly string[]): string[] {
  return wanted.filter((scope) => !own.has(scope) && (scope === platformAdminScope || !own.has(adminScope)));
}
