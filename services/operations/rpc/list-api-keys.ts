import type { ServiceImpl } from "@connectrpc/connect";
import type { ApiKeyService } from "../../../gen/docket/operations/v1/api_key_service_pb.js";
import { readList } from "../../runtime/api/list.ts";
import { principalOf } from "../../runtime/context-values.ts";
import type { OperationsContext } from "../context.ts";
import { apiKeyList, listApiKeys as selectApiKeys } from "../store/api-keys.ts";
import { toApiKey } from "./api-keys/api-key-message.ts";
import { tenantOf } from "./tenancy/tenant-of.ts";

/** Wildcard that lists the keys of all tenants (AIP-159). */
const everyTenant = "-";

export function listApiKeys({ db }: OperationsContext): ServiceImpl<typeof ApiKeyService>["listApiKeys"] {
  return async (request, call) => {
    const tenant = tenantOf(principalOf(call), request.tenant);
    const { rows, nextPageToken } = await readList(apiKeyList, {
      db,
      call,
      request,
      scope: [tenant],
      read: (reads, page) => selectApiKeys(reads, tenant === everyTenant ? undefined : tenant, page),
    });
    return { apiKeys: rows.map(toApiKey), nextPageToken };
  };
}
