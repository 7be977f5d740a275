import { InventoryService } from "../../gen/docket/inventory/v1/inventory_service_pb.js";
import { LogisticsService } from "../../gen/docket/logistics/v1/logistics_service_pb.js";
import { OrderService } from "../../gen/docket/order/v1/order_service_pb.js";
import { PaymentService } from "../../gen/docket/payment/v1/payment_service_pb.js";
import { inventoryDefaults } from "../inventory/config.ts";
import { createInventoryService } from "../inventory/service.ts";
import { logisticsDefaults } from "../logistics/config.ts";
import { createLogisticsService } from "../logistics/service.ts";
import { createOperationsService } from "../operations/service.ts";
import { orderDefaults } from "../order/config.ts";
import { createOrderService } from "../order/service.ts";
import { paymentDefaults } from "../payment/config.ts";
import { createPaymentService } from "../payment/service.ts";
import type { EventBus } from "../runtime/bus/event-bus.ts";
import type { LocalTransport } from "../runtime/call/local-transport.ts";
import { createServiceClient } from "../runtime/call/service-client.ts";
import type { OnStatement } from "../runtime/db/statement.ts";
import type { Service } from "../runtime/service/service.ts";
import type { Logger } from "../runtime/telemetry/log.ts";
import type { Clock } from "../runtime/values/clock.ts";
import type { HostConfig } from "./config.ts";
import { signingSecretFor } from "./signing-secret.ts";

/** What the services share in one process, and what is known only once it runs. */
export interface ServicesOptions {
  readonly config: HostConfig;
  /** The database of a service. */
  readonly databaseUrl: (service: string) => string;
  readonly adminKey: string;
  /** What the sandboxes' signing secrets are derived from. */
  readonly sandboxSecret: string;
  readonly publicUrl: string;
  readonly bus: EventBus;
  readonly local: LocalTransport;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told of every statement of every service. */
  readonly onStatement?: OnStatement | undefined;
}

/** Makes every service and mounts it on the local transport, through which they call each other. */
export async function createServices(options: ServicesOptions): Promise<readonly Service[]> {
  const { config, databaseUrl, publicUrl, sandboxSecret, bus, local, clock, log } = options;
  const clientsOf = (subject: string) => ({
    inventory: createServiceClient(InventoryService, local.transport, { subject }),
    logistics: createServiceClient(LogisticsService, local.transport, { subject }),
    order: createServiceClient(OrderService, local.transport, { subject }),
    payment: createServiceClient(PaymentService, local.transport, { subject }),
  });
  const statements = options.onStatement && { onStatement: options.onStatement };
  const retention = {
    everyMs: config.retentionIntervalMs,
    inboxMs: config.inboxRetentionMs,
    deadLettersMs: config.deadLetterRetentionMs,
    outboxMs: config.outboxRetentionMs,
    idempotencyKeysMs: config.idempotencyRetentionMs,
    callbacksMs: config.callbackRetentionMs,
    deliveriesMs: config.deliveryRetentionMs,
    sagasMs: config.sagaRetentionMs,
    sandboxMs: config.sandboxRetentionMs,
  };
  const shared = { bus, clock, log, statementTimeoutMs: config.queryTimeoutMs, ...statements };
  const services = await Promise.all([
    createOperationsService(
      {
        databaseUrl: databaseUrl("operations"),
        adminKey: options.adminKey,
        adminTenant: "default",
        auditRetentionMs: config.auditRetentionMs,
        retention,
      },
      shared,
    ),
    createInventoryService({ ...inventoryDefaults, databaseUrl: databaseUrl("inventory"), retention }, shared),
    createPaymentService(
      {
        databaseUrl: databaseUrl("payment"),
        retention,
        publicUrl,
        sandboxSecret: signingSecretFor("sandbox payments", sandboxSecret),
        sandboxDelayMs: config.sandboxDelayMs,
        sandboxLateMs: config.sandboxLateMs,
      },
      shared,
    ),
    createLogisticsService(
      {
        ...logisticsDefaults,
        databaseUrl: databaseUrl("logistics"),
        retention,
        publicUrl: () => publicUrl,
        sandboxSecret: signingSecretFor("sandbox carriers", sandboxSecret),
        sandboxStepMs: config.sandboxStepMs,
      },
      { ...shared, clients: clientsOf("logistics") },
    ),
    createOrderService(
      {
        ...orderDefaults,
        databaseUrl: databaseUrl("order"),
        retention,
        orderRetentionMs: config.orderRetentionMs,
        feedRetentionMs: config.feedRetentionMs,
        paymentDeadlineMs: config.paymentDeadlineMs,
        // Payment and logistics are composed above without others.
        paymentProviders: [paymentDefaults.defaultProvider],
        carriers: [logisticsDefaults.defaultCarrier],
        importLimits: { rows: config.importMaxRows, bytes: config.importMaxBytes, ms: config.importMaxMs },
      },
      { ...shared, clients: clientsOf("order") },
    ),
  ]);
  for (const service of services) {
    local.mount(service.specs);
  }
  return services;
}
