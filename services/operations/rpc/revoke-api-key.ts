import type { ServiceImpl } from "@connectrpc/connect";
import type { ApiKeyService } from "../../../gen/docket/operations/v1/api_key_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { afterCommit } from "../../runtime/db/after-commit.ts";
import { notFound, permissionDenied } from "../../runtime/errors.ts";
import type { OperationsContext } from "../context.ts";
import { configuredKeyId } from "../domain/api-key.ts";
import { scopesBeyond } from "../domain/scopes.ts";
import { keyIsConfigured } from "../errors.ts";
import { findApiKey, revokeApiKey as setRevoked } from "../store/api-keys.ts";
import { toApiKey } from "./api-keys/api-key-message.ts";
import { recordAct } from "./audit/record-act.ts";
import { tenantOf } from "./tenancy/tenant-of.ts";

export function revokeApiKey(ctx: OperationsContext): ServiceImpl<typeof ApiKeyService>["revokeApiKey"] {
  const { db, clock } = ctx;
  return async ({ name, tenant: named }, call) => {
    const principal = principalOf(call);
    const tenant = tenantOf(principal, named);
    const id = name.slice("apiKeys/".length);
    const row = await findApiKey(db, tenant, id);
    if (!row) {
      throw notFound("docket.dev/ApiKey", name);
    }
    const lacking = principal.kind === "service" ? [] : scopesBeyond(principal.scopes, row.scopes.split(" "));
    if (lacking.length > 0) {
      throw permissionDenied(lacking, "all");
    }
    if (id === configuredKeyId) {
      throw keyIsConfigured(name);
    }
    await db.transaction(async (trx) => {
      if (await setRevoked(trx, tenant, id, clock.now().getTime())) {
        const details = { tenant, scopes: row.scopes };
        afterCommit(trx, () => ctx.onKeyEnded(row.key_hash));
        await recordAct(ctx, trx, call, { resource: name, details, tenants: [tenant, principal.tenant] });
      }
    });
    return toApiKey((await findApiKey(db, tenant, id)) ?? row);
  };
}
