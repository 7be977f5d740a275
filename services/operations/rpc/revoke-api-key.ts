import type { ServiceImpl } from "@connectrpc/connect";
import type { ApiKeyService } from "../../../gen/docket/operations/v1/api_key_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { notFound } from "../../runtime/errors.ts";
import type { OperationsContext } from "../context.ts";
import { findApiKey, revokeApiKey as setRevoked } from "../store/api-keys.ts";
import { toApiKey } from "./api-key-message.ts";

export function revokeApiKey({ db, clock }: OperationsContext): ServiceImpl<typeof ApiKeyService>["revokeApiKey"] {
  return async ({ name }, context) => {
    const { tenant } = principalOf(context);
    const id = name.slice("apiKeys/".length);
    await setRevoked(db, tenant, id, clock.now().getTime());
    const row = await findApiKey(db, tenant, id);
    if (!row) {
      throw notFound("docket.dev/ApiKey", name);
    }
    return toApiKey(row);
  };
}
