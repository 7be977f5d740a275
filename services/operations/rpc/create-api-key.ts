import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { ApiKeyService } from "../../../gen/docket/operations/v1/api_key_service_pb.js";
import { platformAdminScope } from "../../runtime/auth/scopes.ts";
import { principalOf } from "../../runtime/context-values.ts";
import { invalidArgument, permissionDenied } from "../../runtime/errors.ts";
import type { OperationsContext } from "../context.ts";
import { generateKey, hashKey, prefixOf } from "../domain/api-key.ts";
import { scopes, scopesBeyond, unknownScopes } from "../domain/scopes.ts";
import { insertApiKey } from "../store/api-keys.ts";
import { toApiKey } from "./api-keys/api-key-message.ts";
import { recordAct } from "./audit/record-act.ts";
import { tenantOf } from "./tenancy/tenant-of.ts";

export function createApiKey(ctx: OperationsContext): ServiceImpl<typeof ApiKeyService>["createApiKey"] {
  const { db, clock, ids } = ctx;
  return async (request, call) => {
    const principal = principalOf(call);
    const nowMs = clock.now().getTime();
    const { displayName, scopes: wanted = [], tenant: named = "", expireTime } = request.apiKey ?? {};

    const unknown = unknownScopes(wanted);
    if (unknown.length > 0) {
      throw invalidArgument(
        unknown.map((scope) => ({
          field: "api_key.scopes",
          description:
            scope === platformAdminScope
              ? `${scope} cannot be granted: only the configured key has it`
              : `unknown scope ${scope}; known scopes: ${scopes.join(", ")}`,
        })),
      );
    }
    const expiresAt = expireTime ? timestampMs(expireTime) : null;
    if (expiresAt !== null && expiresAt <= nowMs) {
      throw invalidArgument([{ field: "api_key.expire_time", description: "must be in the future" }]);
    }
    const tenant = tenantOf(principal, named);
    const lacking = principal.kind === "service" ? [] : scopesBeyond(principal.scopes, wanted);
    if (lacking.length > 0) {
      throw permissionDenied(lacking, "all");
    }

    const key = generateKey();
    const row = {
      id: ids.next(),
      tenant_id: tenant,
      display_name: displayName ?? "",
      key_hash: hashKey(key),
      key_prefix: prefixOf(key),
      scopes: [...wanted].sort().join(" "),
      expires_at: expiresAt,
      revoked_at: null,
      last_used_at: null,
      created_at: nowMs,
    };
    await db.transaction(async (trx) => {
      await insertApiKey(trx, row);
      await recordAct(ctx, trx, call, {
        resource: `apiKeys/${row.id}`,
        details: { tenant, scopes: row.scopes },
        tenants: [tenant, principal.tenant],
      });
    });
    return { ...toApiKey(row), key };
  };
}
