import type { ServiceImpl } from "@connectrpc/connect";
import type { ApiKeyService } from "../../../gen/docket/operations/v1/api_key_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { decodePageToken, pageOf, pageSizeOf } from "../../runtime/page-token.ts";
import type { OperationsContext } from "../context.ts";
import { listApiKeys as selectApiKeys } from "../store/api-keys.ts";
import { toApiKey } from "./api-key-message.ts";

export function listApiKeys({ db }: OperationsContext): ServiceImpl<typeof ApiKeyService>["listApiKeys"] {
  return async (request, context) => {
    const { tenant } = principalOf(context);
    const query = ["ListApiKeys", tenant];
    const [after] = decodePageToken(request.pageToken, query, ["text"]) ?? [];
    const size = pageSizeOf(request.pageSize);

    const found = await selectApiKeys(db, tenant, { after, limit: size + 1 });
    const { rows, nextPageToken } = pageOf(found, size, query, ({ id }) => [id]);
    return {
      apiKeys: rows.map(toApiKey),
      nextPageToken,
    };
  };
}
