import { platformAdminScope } from "../../../runtime/auth/scopes.ts";
import type { Principal } from "../../../runtime/context-values.ts";
import { permissionDenied } from "../../../runtime/errors.ts";

/**
 * Returns the tenant named by a request, or the caller's by default.
 *
 * @throws ConnectError PERMISSION_DENIED if it names another tenant and the caller is not a platform administrator
 */
export function tenantOf(principal: Principal, named: string): string {
  const isForeign = named !== "" && named !== principal.tenant;
  if (isForeign && principal.kind !== "service" && !principal.scopes.has(platformAdminScope)) {
    throw permissionDenied([platformAdminScope]);
  }
  return isForeign ? named : principal.tenant;
}
