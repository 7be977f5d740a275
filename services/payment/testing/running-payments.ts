import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type Client,
  Code,
  ConnectError,
  createClient,
  createContextValues,
  type Transport,
} from "@connectrpc/connect";
import {
  PaymentAuthorizedSchema,
  PaymentCapturedSchema,
  PaymentExpiredSchema,
  PaymentFailedSchema,
  PaymentMismatchedSchema,
  PaymentRefundedSchema,
  PaymentVoidedSchema,
  RefundFailedSchema,
} from "../../../gen/docket/payment/v1/payment_events_pb.js";
import type { Payment } from "../../../gen/docket/payment/v1/payment_pb.js";
import { type OpenPaymentRequestSchema, PaymentService } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import { createInProcessBus } from "../../runtime/bus/in-process.ts";
import { createLocalTransport } from "../../runtime/call/local-transport.ts";
import { type Principal, principalKey } from "../../runtime/context-values.ts";
import { openDatabase } from "../../runtime/db/connect.ts";
import { createInterceptors } from "../../runtime/interceptors/interceptors.ts";
import { createLogger } from "../../runtime/telemetry/log.ts";
import { systemClock } from "../../runtime/values/clock.ts";
import { toMoney } from "../../runtime/values/money.ts";
import { type RunningSandbox, type SandboxOptions, startSandbox } from "../../sandbox/testing/running-sandbox.ts";
import type { PaymentConfig } from "../config.ts";
import type { PaymentDatabase } from "../db/schema.ts";
import { createPaymentService, type PaymentDeps } from "../service.ts";
import { ledgerSums } from "../store/movements.ts";

/** An event received from the bus. */
export interface SeenEvent {
  readonly name: string;
  readonly aggregate: string;
  readonly tenant: string;
  readonly payment: Payment | undefined;
}

const EVENTS = [
  PaymentAuthorizedSchema,
  PaymentCapturedSchema,
  PaymentExpiredSchema,
  PaymentFailedSchema,
  PaymentMismatchedSchema,
  PaymentRefundedSchema,
  PaymentVoidedSchema,
  RefundFailedSchema,
];

/** Settings of the service, and of the sandbox that is started for it unless `providerSettings` name another. */
export interface RunningPaymentsConfig extends Partial<PaymentConfig> {
  readonly sandbox?: SandboxOptions;
}

/**
 * The real service on a database, with the real sandbox on another. They call each other over HTTP; callbacks go to the
 * RPC that receives them, as through the gateway.
 */
export async function startPayments(
  databaseUrl: string,
  { sandbox: sandboxOptions, ...config }: RunningPaymentsConfig = {},
  overrides: Partial<PaymentDeps> = {},
) {
  await using opening = new AsyncDisposableStack();
  const log = createLogger({ level: "silent", name: "test" });
  const interceptors = createInterceptors({ authenticate: async () => undefined, log, clock: systemClock });
  const { transport, mount } = createLocalTransport({ interceptors });
  const anybody = createClient(PaymentService, transport);

  const statuses: number[] = [];
  const server = createServer(async (request, response) => {
    const status = await receive(anybody, request);
    statuses.push(status);
    response.writeHead(status).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  opening.defer(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const bus = opening.use(createInProcessBus({ log }));
  const publicUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const events: SeenEvent[] = [];
  bus.subscribe(
    "test",
    EVENTS.map((schema) => schema.typeName),
    async (batch) => {
      for (const event of batch) {
        const schema = EVENTS.find(({ typeName }) => typeName === event.type) ?? PaymentCapturedSchema;
        const { payment } = fromBinary(schema, event.data);
        events.push({ name: schema.name, aggregate: event.aggregate, tenant: event.tenant, payment });
      }
    },
  );

  const started =
    config.providerSettings === undefined
      ? opening.use(await startSandbox({ publicUrl: () => publicUrl, delayMs: 5, ...sandboxOptions }))
      : undefined;
  const sandboxOf = (): RunningSandbox => {
    if (started === undefined) {
      throw new Error("the sandbox is not this one's own");
    }
    return started;
  };
  const { providerSettings = { sandbox: sandboxOf().provider } } = config;
  const db = opening.use(await openDatabase<PaymentDatabase>({ url: databaseUrl }));
  const service = opening.use(
    await createPaymentService(
      { databaseUrl, providers: ["sandbox"], pollMs: 50, retryMaxMs: 100, ...config, providerSettings },
      { bus, log, ...overrides },
    ),
  );
  opening.defer(() => service.drain());
  mount(service.specs);
  await service.start();

  const as = (principal: Partial<Principal>) => createClient(PaymentService, actingAs(transport, principal));
  const payments = as({ kind: "service" });

  const stack = opening.move();
  return {
    service,
    db,
    events,
    statuses,
    publicUrl,
    transport,
    anybody,
    as,
    /** Client with the credentials of one of Docket's own services. */
    payments,
    get sandbox() {
      return sandboxOf();
    },
    open: (name: string, paymentToken: string, more: MessageInitShape<typeof OpenPaymentRequestSchema> = {}) =>
      payments.openPayment({ name, amount: eur(10_000), paymentToken, captureAutomatically: true, ...more }),
    get: (name: string) => payments.getPayment({ name }),
    /** Invariants of every payment at any time: the ledger equals the columns, and refunds do not exceed captures. */
    async audit() {
      for (const row of await db.kysely.selectFrom("payments").selectAll().execute()) {
        const sums = await ledgerSums(db.kysely, row.tenant_id, row.id);
        const [authorized, captured, refunded] = [row.authorized, row.captured, row.refunded].map(BigInt);
        const columns = { AUTHORIZATION: authorized, CAPTURE: captured, REFUND: refunded };
        if (JSON.stringify(sums, asText) !== JSON.stringify(columns, asText)) {
          throw new Error(`the ledger of ${row.order_id} does not balance: ${JSON.stringify([sums, columns], asText)}`);
        }
        const refunds = await db.kysely
          .selectFrom("refunds")
          .select("amount")
          .where("payment_uid", "=", row.id)
          .where("state", "!=", "FAILED")
          .execute();
        const given = refunds.reduce((sum, refund) => sum + BigInt(refund.amount), 0n);
        if (given > BigInt(row.captured) || BigInt(row.captured) > BigInt(row.amount)) {
          throw new Error(`more went out of ${row.order_id} than came in`);
        }
      }
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

export type RunningPayments = Awaited<ReturnType<typeof startPayments>>;

/** Converts euro cents to a `Money`. */
export function eur(cents: number) {
  return toMoney({ currency: "EUR", minor: BigInt(cents) });
}

/** The minor units of an amount of a payment in euros. */
export function cents(money: { units: bigint; nanos: number } | undefined): number {
  return money === undefined ? 0 : Number(money.units) * 100 + money.nanos / 10_000_000;
}

function actingAs(transport: Transport, more: Partial<Principal>): Transport {
  const principal: Principal = { kind: "api_key", tenant: "t1", subject: "test", scopes: new Set(), ...more };
  return {
    ...transport,
    unary: (method, signal, timeoutMs, header, input) =>
      transport.unary(method, signal, timeoutMs, header, input, createContextValues().set(principalKey, principal)),
  };
}

async function receive(client: Client<typeof PaymentService>, request: IncomingMessage): Promise<number> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
  }
  const provider = /^\/v1\/webhooks\/payments\/([^/]+)$/.exec(request.url ?? "")?.[1] ?? "";
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
  try {
    const contentType = headers["content-type"] ?? "";
    await client.receivePaymentCallback({ provider, body: { contentType, data: Buffer.concat(chunks) } }, { headers });
    return 200;
  } catch (error) {
    return ConnectError.from(error).code === Code.Unauthenticated ? 401 : 500;
  }
}

function asText(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}` : value;
}
