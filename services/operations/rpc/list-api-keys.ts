import type { ServiceImpl } from "@connectrpc/connect";
import type { ApiKeyService } from "../../../gen/docket/operations/v1/api_key_service_pb.js";
import { decodePageToken, pageOf, pageSizeOf } from "../../runtime/api/page-token.ts";
import { readsFor } from "../../runtime/api/reads-for.ts";
import { principalOf } from "../../runtime/context-values.ts";
import type { OperationsContext } from "../context.ts";
import { listApiKeys as selectApiKeys } from "../store/api-keys.ts";
import { toApiKey } from "./api-keys/api-key-message.ts";
import { tenantOf } from "./tenancy/tenant-of.ts";

/** Wildcard that lists the keys of all tenants (AIP-159). */
const everyTenant = "-";

export function listApiKeys({ db }: OperationsContext): ServiceImpl<typeof ApiKeyService>["listApiKeys"] {
  return async (request, call) => {
    const tenant = tenantOf(principalOf(call), request.tenant);
    const query = ["ListApiKeys", tenant];
    const [after] = decodePageToken(request.pageToken, query, ["text"]) ?? [];
    const size = pageSizeOf(request.pageSize);

    const found = await selectApiKeys(readsFor(db, call), {
      tenant: tenant === everyTenant ? undefined : tenant,
      after,
      limit: size + 1,
    });
    const { rows, nextPageToken } = pageOf(found, size, query, ({ id }) => [id]);
    return {
      apiKeys: rows.map(toApiKey),
      nextPageToken,
    };
  };
}
