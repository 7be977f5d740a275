import type { ServiceImpl } from "@connectrpc/connect";
import type { ApiKeyService } from "../../../gen/docket/operations/v1/api_key_service_pb.js";
import type { OperationsContext } from "../context.ts";
import { hashKey, isUsable } from "../domain/api-key.ts";
import { findApiKeyByHash, touchApiKey } from "../store/api-keys.ts";
import { toApiKey } from "./api-keys/api-key-message.ts";

const minuteMs = 60_000;

export function authenticateApiKey({
  db,
  clock,
}: OperationsContext): ServiceImpl<typeof ApiKeyService>["authenticateApiKey"] {
  return async ({ key }) => {
    const nowMs = clock.now().getTime();
    const row = await findApiKeyByHash(db, hashKey(key));
    if (!row || !isUsable(row, nowMs)) {
      return {};
    }
    const thisMinute = nowMs - (nowMs % minuteMs);
    if ((row.last_used_at ?? 0) < thisMinute) {
      await touchApiKey(db, row.id, thisMinute);
    }
    return { apiKey: toApiKey(row) };
  };
}
