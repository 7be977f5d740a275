import { platformAdminScope } from "../../runtime/auth/scopes.ts";
import type { Principal } from "../../runtime/context-values.ts";
import { permissionDenied } from "../../runtime/errors.ts";

/**
 * The tenant that a request is about: the one that it names, or the caller's.
 *
 * @throws ConnectError PERMISSION_DENIED where it names another and the caller is no administrator of the platform
 */
export function tenantOf(principal: Principal, named: string): string {
  const isForeign = named !== "" && named !== principal.tenant;
  if (isForeign && principal.kind !== "service" && !principal.scopes.has(platformAdminScope)) {
    throw permissionDenied([platformAdminScope]);
  }
  return isForeign ? named : principal.tenant;
}
