import { platformAdminScope } from "../../../runtime/auth/scopes.ts";
import type { StoredCallback } from "../../../runtime/callbacks/rows.ts";
import type { Principal } from "../../../runtime/context-values.ts";

/** Whether the caller may see callbacks of unknown payments, which may belong to any tenant. */
export function mayReadUnmatched({ scopes }: Principal): boolean {
  return scopes.has(platformAdminScope);
}

/** Whether the caller may see this callback. */
export function mayRead(principal: Principal, { tenant }: Pick<StoredCallback, "tenant">): boolean {
  return tenant === undefined ? mayReadUnmatched(principal) : tenant === principal.tenant;
}
