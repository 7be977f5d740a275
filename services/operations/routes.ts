import { createServiceImplSpec, type ServiceImpl, type ServiceImplSpec } from "@connectrpc/connect";
import { ApiKeyService } from "../../gen/docket/operations/v1/api_key_service_pb.js";
import { AuditService } from "../../gen/docket/operations/v1/audit_service_pb.js";
import { DeadLetterService } from "../../gen/docket/operations/v1/dead_letter_service_pb.js";
import { WebhookService } from "../../gen/docket/operations/v1/webhook_service_pb.js";
import type { OperationsContext } from "./context.ts";
import { authenticateApiKey } from "./rpc/authenticate-api-key.ts";
import { createApiKey } from "./rpc/create-api-key.ts";
import { listApiKeys } from "./rpc/list-api-keys.ts";
import { listAuditEvents } from "./rpc/list-audit-events.ts";
import { recordDenial } from "./rpc/record-denial.ts";
import { revokeApiKey } from "./rpc/revoke-api-key.ts";
import { unimplementedMethod } from "./unimplemented-method.ts";

/** Registers the RPCs of the operations service. */
export const routes = (ctx: OperationsContext): ServiceImplSpec[] => [
  createServiceImplSpec<typeof ApiKeyService>(ApiKeyService, {
    createApiKey: createApiKey(ctx),
    listApiKeys: listApiKeys(ctx),
    revokeApiKey: revokeApiKey(ctx),
    authenticateApiKey: authenticateApiKey(ctx),
  } satisfies ServiceImpl<typeof ApiKeyService>),

  createServiceImplSpec<typeof AuditService>(AuditService, {
    listAuditEvents: listAuditEvents(ctx),
    recordDenial: recordDenial(ctx),
  } satisfies ServiceImpl<typeof AuditService>),

  createServiceImplSpec<typeof DeadLetterService>(DeadLetterService, {
    listDeadLetters: unimplementedMethod,
    getDeadLetter: unimplementedMethod,
    replayDeadLetter: unimplementedMethod,
  } satisfies ServiceImpl<typeof DeadLetterService>),

  createServiceImplSpec<typeof WebhookService>(WebhookService, {
    createWebhookEndpoint: unimplementedMethod,
    getWebhookEndpoint: unimplementedMethod,
    updateWebhookEndpoint: unimplementedMethod,
    deleteWebhookEndpoint: unimplementedMethod,
    listWebhookEndpoints: unimplementedMethod,
    listDeliveries: unimplementedMethod,
    redeliverEvents: unimplementedMethod,
  } satisfies ServiceImpl<typeof WebhookService>),
];
