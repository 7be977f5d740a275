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
import { SandboxCarrierService } from "../../gen/docket/sandbox/v1/sandbox_carrier_service_pb.js";
import { SandboxPaymentService } from "../../gen/docket/sandbox/v1/sandbox_payment_service_pb.js";
import { createInventoryService } from "../inventory/service.ts";
import { createLogisticsService } from "../logistics/service.ts";
import { createOperationsService } from "../operations/service.ts";
import { createOrderService } from "../order/service.ts";
import { createPaymentService } from "../payment/service.ts";
import { createServiceClient } from "../runtime/call/service-client.ts";
import { type Live, mapLive } from "../runtime/config/live.ts";
import type { Service } from "../runtime/service/service.ts";
import type { ServiceDeps } from "../runtime/service/service-base.ts";
import { createSandboxService } from "../sandbox/service.ts";
import type { HostConfig } from "./config.ts";
import { sandboxApiKeyFor, signingSecretFor } from "./signing-secret.ts";
import type { ServiceName } from "./targets.ts";

/** Dependencies that a host passes to each service. */
export interface HostDeps {
  readonly config: HostConfig;
  /** The same configuration, whose live settings may change. */
  readonly live: Live<HostConfig>;
  /** The database of the service. */
  readonly databaseUrl: string;
  readonly adminKey: string;
  /** Master secret from which the sandbox's API key and signing secrets are derived. */
  readonly sandboxSecret: string;
  /** External URL of the gateway, for shoppers, providers and carriers. */
  readonly publicUrl: string;
  /** Base URL of the sandbox's API. */
  readonly sandboxUrl: string;
  /** Transport to every service, in this process or another. */
  readonly transport: Transport;
  /** Transport to the process of a service, for the RPCs that every process serves. */
  readonly transportTo: (service: ServiceName) => Transport;
  /** Called with the hash of an API key after its revocation. */
  readonly onKeyEnded: (hash: string) => void;
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
    create: ({ config, live, databaseUrl, adminKey, transportTo, onKeyEnded, shared }) =>
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
          adminKey: mapLive(live, (changed) => changed.adminKey ?? adminKey),
          onKeyEnded,
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
    services: [PaymentService],
    create: ({ config, live, databaseUrl, sandboxUrl, sandboxSecret, shared }) =>
      createPaymentService(
        {
          ...config.payment,
          databaseUrl,
          retention: config.retention,
          providers: config.paymentProviders,
          providerSettings: {
            sandbox: {
              baseUrl: sandboxUrl,
              apiKey: sandboxApiKeyFor(sandboxSecret),
              secret: signingSecretFor("sandbox payments", sandboxSecret),
            },
          },
        },
        { ...shared, settings: mapLive(live, ({ payment }) => payment) },
      ),
  },
  logistics: {
    services: [LogisticsService],
    create: ({ config, live, databaseUrl, sandboxUrl, sandboxSecret, transport, shared }) =>
      createLogisticsService(
        {
          ...config.logistics,
          databaseUrl,
          retention: config.retention,
          carriers: config.carriers,
          carrierSettings: {
            sandbox: {
              baseUrl: sandboxUrl,
              apiKey: sandboxApiKeyFor(sandboxSecret),
              secret: signingSecretFor("sandbox carriers", sandboxSecret),
            },
          },
        },
        {
          ...shared,
          clients: clientsOf("logistics", transport),
          settings: mapLive(live, ({ logistics }) => logistics),
        },
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
          paymentProviders: config.paymentProviders,
          carriers: config.carriers,
        },
        { ...shared, clients: clientsOf("order", transport) },
      ),
  },
  sandbox: {
    services: [SandboxPaymentService, SandboxCarrierService],
    create: ({ config, live, databaseUrl, publicUrl, sandboxSecret, shared: { bus: _, ...shared } }) =>
      createSandboxService(
        {
          ...config.sandbox,
          databaseUrl,
          retention: config.retention,
          publicUrl: () => publicUrl,
          apiKey: sandboxApiKeyFor(sandboxSecret),
          paymentSecret: signingSecretFor("sandbox payments", sandboxSecret),
          carrierSecret: signingSecretFor("sandbox carriers", sandboxSecret),
        },
        { ...shared, settings: mapLive(live, ({ sandbox }) => sandbox) },
      ),
  },
};
