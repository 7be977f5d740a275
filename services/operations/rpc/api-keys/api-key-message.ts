import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type ApiKey, ApiKeySchema } from "../../../../gen/docket/operations/v1/operations_pb.js";
import type { ApiKeyRow } from "../../store/api-keys.ts";

/** Converts a stored key to its API message, without the secret. */
export function toApiKey(row: ApiKeyRow): ApiKey {
  return create(ApiKeySchema, {
    name: `apiKeys/${row.id}`,
    displayName: row.display_name,
    scopes: row.scopes.split(" "),
    tenant: row.tenant_id,
    keyPrefix: row.key_prefix,
    createTime: timestampFromMs(row.created_at),
    ...(row.expires_at !== null && { expireTime: timestampFromMs(row.expires_at) }),
    ...(row.revoked_at !== null && { revokeTime: timestampFromMs(row.revoked_at) }),
    ...(row.last_used_at !== null && { lastUseTime: timestampFromMs(row.last_used_at) }),
  });
}
