import { create, type DescMethod, type DescService, getOption, type MessageInitShape } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import { Code, ConnectError, createClient, createContextValues } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import { InventoryService } from "../../gen/docket/inventory/v1/inventory_service_pb.js";
import { LogisticsService } from "../../gen/docket/logistics/v1/logistics_service_pb.js";
import { ApiKeyService } from "../../gen/docket/operations/v1/api_key_service_pb.js";
import { AuditService } from "../../gen/docket/operations/v1/audit_service_pb.js";
import { DeadLetterService } from "../../gen/docket/operations/v1/dead_letter_service_pb.js";
import { SagaService } from "../../gen/docket/operations/v1/saga_service_pb.js";
import { WebhookService } from "../../gen/docket/operations/v1/webhook_service_pb.js";
import { unimplemented } from "../../gen/docket/options/v1/options_pb.js";
import { PaymentService } from "../../gen/docket/payment/v1/payment_service_pb.js";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { readHostConfig } from "../host/config.ts";
import { administered, definitions } from "../host/definitions.ts";
import { sandboxApiKeyFor } from "../host/signing-secret.ts";
import { type ServiceName, serviceNames } from "../host/targets.ts";
import { adminRoutes } from "../runtime/admin/routes.ts";
import type { ServiceAdmin } from "../runtime/admin/service-admin.ts";
import { createInProcessBus } from "../runtime/bus/in-process.ts";
import { createLocalTransport } from "../runtime/call/local-transport.ts";
import { fixed } from "../runtime/config/live.ts";
import { type Principal, principalKey } from "../runtime/context-values.ts";
import { createInterceptors } from "../runtime/interceptors/interceptors.ts";
import { createLogger } from "../runtime/telemetry/log.ts";
import { describeEachDatabase, type OpenTestDatabase } from "../runtime/testing/databases.ts";
import { systemClock } from "../runtime/values/clock.ts";
import { startSandbox } from "../sandbox/testing/running-sandbox.ts";
import { largestRequest } from "./support/largest-request.ts";

const tested: readonly DescService[] = [
  InventoryService,
  PaymentService,
  LogisticsService,
  ApiKeyService,
  AuditService,
  DeadLetterService,
  SagaService,
  WebhookService,
];

/** As many as an item has prices. */
const currencies =
  "EUR USD GBP CHF SEK NOK DKK PLN CZK HUF RON BGN TRY AUD NZD CAD MXN BRL ARS ZAR INR CNY HKD SGD THB IDR MYR PHP ILS AED SAR EGP";

const sku = (index: number) => `${"S".repeat(59)}${String(index).padStart(4, "0")}`;

let requests = 0;

/** What rules do not say of a value. */
const values: Readonly<Record<string, (index: number) => unknown>> = {
  sku,
  skus: sku,
  "Item.name": (index) => `items/${sku(index)}`,
  request_id: () => `${requests++}`.padStart(128, "r"),
  url: () => `https://example.com/${"x".repeat(2028)}`,
  filter: () => padded(Array.from({ length: 44 }, () => 'create_time > "2020-01-01T00:00:00Z"').join(" OR "), 2048),
  order_by: () => padded("create_time desc", 256),
  page_size: () => 2 ** 31 - 1,
  page_token: () => "",
  etag: () => "",
  carrier: () => "sandbox",
  carrier_service: () => "standard",
  provider: () => "sandbox",
  tenant: () => "",
  scopes: () => "orders.read",
  event_types: (index) => `E${"x".repeat(61)}${String.fromCharCode(65 + (index >> 4), 65 + (index & 15))}`,
  "AdjustStockRequest.name": () => `items/${sku(0)}`,
  "ReserveStockRequest.order": () => `orders/${"x".repeat(64)}`,
  "google.type.Money": (index) => ({ currencyCode: currencies.split(" ")[index], units: 1_000_000n, nanos: 0 }),
  "google.protobuf.Duration": () => ({ seconds: 3600n }),
  "google.protobuf.Timestamp": () => ({ seconds: 4_000_000_000n }),
  "google.protobuf.FieldMask": () => ({}),
  "google.api.HttpBody": () => ({ contentType: "application/json", data: new Uint8Array(1024 * 1024) }),
};

function padded(text: string, length: number): string {
  return text.padEnd(length, " ").slice(0, length);
}

const caller: Principal = { kind: "service", tenant: "acme", subject: "test", scopes: new Set() };
const validator = createValidator();
const sandboxSecret = "s".repeat(32);

/** The services of one process in databases of their own, without their workers. */
async function startServices(open: OpenTestDatabase) {
  const stack = new AsyncDisposableStack();
  const log = createLogger({ level: "silent", name: "test" });
  const authenticate = async () => undefined;
  const around = { authenticate, log, clock: systemClock };
  const local = createLocalTransport({ interceptors: createInterceptors(around) });
  const sandbox = stack.use(await startSandbox({ apiKey: sandboxApiKeyFor(sandboxSecret) }));
  const shared = { bus: stack.use(createInProcessBus({ log })), clock: systemClock, log };
  const admins = new Map<ServiceName, ServiceAdmin | undefined>();
  const config = readHostConfig({});
  for (const name of serviceNames) {
    const service = await definitions[name].create({
      config,
      live: fixed(config),
      databaseUrl: (await open<unknown>()).url,
      publicUrl: "http://127.0.0.1:1",
      sandboxUrl: sandbox.baseUrl,
      adminKey: "k".repeat(32),
      sandboxSecret,
      transport: local.transport,
      transportTo: () => local.transport,
      onKeyEnded: () => {},
      shared,
    });
    local.mount(service.specs);
    stack.use(service);
    admins.set(name, service.admin);
  }
  const present = [...admins].filter(([, admin]) => admin !== undefined).map(([name]) => name);
  expect(present.toSorted()).toEqual(administered.toSorted());
  local.mount([adminRoutes(new Map([...admins].map(([name, admin = {}]) => [name, admin])))]);
  return {
    /** Calls a unary method as one of our own services does. */
    async call(method: DescMethod, init: Record<string, unknown>): Promise<Record<string, unknown>> {
      const contextValues = createContextValues().set(principalKey, caller);
      const client = createClient(method.parent, local.transport) as unknown as Record<
        string,
        (request: unknown, options: object) => Promise<Record<string, unknown>>
      >;
      const request = create(method.input, init as MessageInitShape<typeof method.input>);
      return (await client[method.localName]?.(request, { contextValues })) ?? {};
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function outcomeOf(thrown: unknown): string {
  const error = ConnectError.from(thrown);
  return `${Code[error.code]} ${error.findDetails(ErrorInfoSchema)[0]?.reason ?? error.rawMessage}`;
}

/** All others name something that is not there, or ask for more than a limit on the whole. */
const servedMethods = [
  "AnonymizePayments",
  "AnonymizeReservations",
  "AnonymizeShipments",
  "AuthenticateApiKey",
  "BatchGetItems",
  "BatchUpsertItems",
  "CancelOrderShipments",
  "CommitReservation",
  "CreateApiKey",
  "CreateItem",
  "FenceOrderShipments",
  "GetReservation",
  "ListApiKeys",
  "ListAuditEvents",
  "ListDeadLetters",
  "ListItems",
  "ListPaymentCallbacks",
  "ListPayments",
  "ListReservations",
  "ListSagas",
  "ListShipments",
  "OpenPayment",
  "RecordDenial",
  "ReleaseReservation",
  "ReserveStock",
  "ResizeReservation",
  "SettlePayment",
  "UpdateItem",
];

describeEachDatabase("the largest request that the contract allows", (open) => {
  test("is served, or refused for what there is not", async () => {
    await using services = await startServices(open);
    const outcomes: Record<string, string> = {};
    for (const method of tested.flatMap(({ methods }) => methods)) {
      const { init } = largestRequest(method.input, { values });
      const message = create(method.input, init as MessageInitShape<typeof method.input>);
      const { violations = [] } = validator.validate(method.input, message);
      expect([method.name, violations.map((violation) => `${violation}`)]).toEqual([method.name, []]);
      const response = await services.call(method, init).catch(outcomeOf);
      outcomes[method.name] = typeof response === "string" ? response : "OK";
    }
    const served = Object.keys(outcomes).filter((name) => outcomes[name] === "OK");
    expect(served.toSorted()).toEqual(servedMethods);
    const unimplementedMethods = tested
      .flatMap(({ methods }) => methods)
      .filter((method) => getOption(method, unimplemented))
      .map(({ name }) => name);
    expect(Object.keys(outcomes).filter((name) => outcomes[name]?.startsWith("Unimplemented"))).toEqual(
      unimplementedMethods,
    );
    const refused = new Set(Object.values(outcomes));
    expect([...refused].toSorted()).toEqual([
      "FailedPrecondition PAYMENT_NOT_CAPTURABLE",
      "FailedPrecondition PAYMENT_NOT_REFUNDABLE",
      "FailedPrecondition PAYMENT_NOT_VOIDABLE",
      "FailedPrecondition STOCK_LIMIT",
      "NotFound RESOURCE_NOT_FOUND",
      "OK",
      // Unsigned callbacks.
      "Unauthenticated UNAUTHENTICATED",
      "Unimplemented METHOD_NOT_IMPLEMENTED",
    ]);

    const { items: wanted } = largestRequest(InventoryService.method.batchUpsertItems.input, { values }).init as {
      items: { sku: string; title: string }[];
    };
    const listed: { sku: string; title: string; prices: unknown[] }[] = [];
    for (let pageToken: unknown = ""; listed.length === 0 || pageToken !== ""; ) {
      const page = await services.call(InventoryService.method.listItems, { pageSize: 1000, pageToken });
      listed.push(...(page["items"] as typeof listed));
      pageToken = page["nextPageToken"];
    }
    expect(listed.map(({ sku, title, prices }) => [sku, title, prices.length])).toEqual(
      wanted.map(({ sku, title }) => [sku, title, currencies.split(" ").length]),
    );
  }, 300_000);

  test("is refused, and names the field, where it exceeds one limit by one", async () => {
    await using services = await startServices(open);
    const wrong: string[] = [];
    let tried = 0;
    for (const method of tested.flatMap(({ methods }) => methods)) {
      for (const exceed of largestRequest(method.input, { values }).limited) {
        const { init } = largestRequest(method.input, { values, exceed });
        const error = ConnectError.from(await services.call(method, init).catch((thrown: unknown) => thrown));
        const fields = error.findDetails(BadRequestSchema)[0]?.fieldViolations.map(({ field }) => field) ?? [];
        if (error.code === Code.Unimplemented) {
          continue;
        }
        tried += 1;
        if (!fields.some((field) => field.replace(/\[[^\]]*\]/g, "").startsWith(exceed.replace(/\[\]|\{\}|:/g, "")))) {
          wrong.push(`${method.name} ${exceed}: ${outcomeOf(error)} ${fields}`);
        }
      }
    }
    expect(tried).toBeGreaterThan(50);
    // Those are not changed by an update, and not checked.
    expect(wrong).toEqual([
      "UpdateItem item.stock_on_hand: NotFound RESOURCE_NOT_FOUND ",
      "UpdateItem item.etag: NotFound RESOURCE_NOT_FOUND ",
    ]);
  }, 300_000);
});
