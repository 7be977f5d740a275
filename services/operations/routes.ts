import { createServiceImplSpec, type ServiceImpl, type ServiceImplSpec } from "@connectrpc/connect";
import { ApiKeyService } from "../../gen/docket/operations/v1/api_key_service_pb.js";
import { AuditService } from "../../gen/docket/operations/v1/audit_service_pb.js";
import { DeadLetterService } from "../../gen/docket/operations/v1/dead_letter_service_pb.js";
import { SagaService } from "../../gen/docket/operations/v1/saga_service_pb.js";
import { WebhookService } from "../../gen/docket/operations/v1/webhook_service_pb.js";
import type { OperationsContext } from "./context.ts";
import { authenticateApiKey } from "./rpc/authenticate-api-key.ts";
import { compensateSaga } from "./rpc/compensate-saga.ts";
import { createApiKey } from "./rpc/create-api-key.ts";
import { getDeadLetter } from "./rpc/get-dead-letter.ts";
import { getSaga } from "./rpc/get-saga.ts";
import { listApiKeys } from "./rpc/list-api-keys.ts";
import { listAuditEvents } from "./rpc/list-audit-events.ts";
import { listDeadLetters } from "./rpc/list-dead-letters.ts";
import { listSagas } from "./rpc/list-sagas.ts";
import { pauseSaga } from "./rpc/pause-saga.ts";
import { recordDenial } from "./rpc/record-denial.ts";
import { replayDeadLetter } from "./rpc/replay-dead-letter.ts";
import { resumeSaga } from "./rpc/resume-saga.ts";
import { retrySaga } from "./rpc/retry-saga.ts";
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
    listDeadLetters: listDeadLetters(ctx),
    getDeadLetter: getDeadLetter(ctx),
    replayDeadLetter: replayDeadLetter(ctx),
  } satisfies ServiceImpl<typeof DeadLetterService>),

  createServiceImplSpec<typeof SagaService>(SagaService, {
    listSagas: listSagas(ctx),
    getSaga: getSaga(ctx),
    retrySaga: retrySaga(ctx),
    compensateSaga: compensateSaga(ctx),
    pauseSaga: pauseSaga(ctx),
    resumeSaga: resumeSaga(ctx),
  } satisfies ServiceImpl<typeof SagaService>),

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
