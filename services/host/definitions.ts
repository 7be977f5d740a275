import type { DescService } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import { AdminService } from "../../gen/docket/admin/v1/admin_service_pb.js";
import { InventoryService } from "../../gen/docket/inventory/v1/inventory_service_pb.js";
import { LogisticsService } from "../../gen/docket/logistics/v1/logistics_service_pb.js";
import { ApiKeyService } from "../../gen/docket/operations/v1/api_key_service_pb.js";
import { AuditService } from "../../gen/docket/operations/v1/audit_service_pb.js";
import { DeadLetterService } from "../../gen/docket/operations/v1/dead_letter_service_pb.js";
import { SagaService } from "../../gen/docket/operations/v1/saga_service_pb.js";
import { WebhookService } from "../../gen/docket/operations/v1/webhook_service_pb.js";
import { CustomerService } from "../../gen/docket/order/v1/customer_service_pb.js";
import { OrderService } from "../../gen/docket/order/v1/order_service_pb.js";
import { PaymentService } from "../../gen/docket/payment/v1/payment_service_pb.js";
import { SandboxPaymentService } from "../../gen/docket/payment/v1/sandbox_payment_service_pb.js";
import { createInventoryService } from "../inventory/service.ts";
import { logisticsDefaults } from "../logistics/config.ts";
import { createLogisticsService } from "../logistics/service.ts";
import { createOperationsService } from "../operations/service.ts";
import { createOrderService } from "../order/service.ts";
import { paymentDefaults } from "../payment/config.ts";
import { createPaymentService } from "../payment/service.ts";
import { createServiceClient } from "../runtime/call/service-client.ts";
import type { Service } from "../runtime/service/service.ts";
import type { ServiceDeps } from "../runtime/service/service-base.ts";
import type { HostConfig } from "./config.ts";
import { signingSecretFor } from "./signing-secret.ts";
import type { ServiceName } from "./targets.ts";

/** Dependencies that a host passes to each service. */
export interface HostDeps {
  readonly config: HostConfig;
  /** The database of the service. */
  readonly databaseUrl: string;
  readonly adminKey: string;
  /** Master secret from which the sandboxes' signing secrets are derived. */
  readonly sandboxSecret: string;
  /** External URL of the gateway, for providers and carriers. */
  readonly publicUrl: string;
  /** Transport to every service, in this process or another. */
  readonly transport: Transport;
  /** Transport to the process of a service, for the RPCs that every process serves. */
  readonly transportTo: (service: ServiceName) => Transport;
  /** Shared dependencies: the bus, the log, the clock. */
  readonly shared: ServiceDeps;
}

/** A service as a host runs or calls it. */
export interface ServiceDefinition {
  /** Every RPC service that it implements. */
  readonly services: readonly DescService[];
  create(deps: HostDeps): Promise<Service>;
}

const clientsOf = (subject: string, transport: Transport) => ({
  inventory: createServiceClient(InventoryService, transport, { subject }),
  logistics: createServiceClient(LogisticsService, transport, { subject }),
  order: createServiceClient(OrderService, transport, { subject }),
  payment: createServiceClient(PaymentService, transport, { subject }),
});

/** The services with sagas or dead letters: their `Service.admin` is set. */
export const administered: readonly ServiceName[] = ["order", "inventory", "operations"];

/** All services by name. */
export const definitions: Readonly<Record<ServiceName, ServiceDefinition>> = {
  operations: {
    services: [ApiKeyService, AuditService, DeadLetterService, SagaService, WebhookService],
    create: ({ config, databaseUrl, adminKey, transportTo, shared }) =>
      createOperationsService(
        {
          databaseUrl,
          adminKey,
          adminTenant: "default",
          ...config.operations,
          retention: config.retention,
        },
        {
          ...shared,
          administered: administered.map((name) => ({
            name,
            client: createServiceClient(AdminService, transportTo(name), { subject: "operations", repeats: false }),
          })),
        },
      ),
  },
  inventory: {
    services: [InventoryService],
    create: ({ config, databaseUrl, shared }) =>
      createInventoryService({ ...config.inventory, databaseUrl, retention: config.retention }, shared),
  },
  payment: {
    services: [PaymentService, SandboxPaymentService],
    create: ({ config, databaseUrl, publicUrl, sandboxSecret, shared }) =>
      createPaymentService(
        {
          ...config.payment,
          databaseUrl,
          retention: config.retention,
          publicUrl,
          sandboxSecret: signingSecretFor("sandbox payments", sandboxSecret),
        },
        shared,
      ),
  },
  logistics: {
    services: [LogisticsService],
    create: ({ config, databaseUrl, publicUrl, sandboxSecret, transport, shared }) =>
      createLogisticsService(
        {
          ...config.logistics,
          defaultCarrier: logisticsDefaults.defaultCarrier,
          databaseUrl,
          retention: config.retention,
          publicUrl: () => publicUrl,
          sandboxSecret: signingSecretFor("sandbox carriers", sandboxSecret),
        },
        { ...shared, clients: clientsOf("logistics", transport) },
      ),
  },
  order: {
    services: [OrderService, CustomerService],
    create: ({ config, databaseUrl, transport, shared }) =>
      createOrderService(
        {
          ...config.order,
          databaseUrl,
          retention: config.retention,
          // Payment and logistics are composed above with these defaults only.
          paymentProviders: [paymentDefaults.defaultProvider],
          carriers: [logisticsDefaults.defaultCarrier],
        },
        { ...shared, clients: clientsOf("order", transport) },
      ),
  },
};
