import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createHttpHandler } from "../../../gateway/http-handler.ts";
import { SandboxCarrierService } from "../../../gen/docket/sandbox/v1/sandbox_carrier_service_pb.js";
import { SandboxPaymentService } from "../../../gen/docket/sandbox/v1/sandbox_payment_service_pb.js";
import { createLocalTransport } from "../../runtime/call/local-transport.ts";
import { openDatabase } from "../../runtime/db/connect.ts";
import { createInterceptors } from "../../runtime/interceptors/interceptors.ts";
import { createLogger } from "../../runtime/telemetry/log.ts";
import { systemClock } from "../../runtime/values/clock.ts";
import type { SandboxConfig } from "../config.ts";
import type { SandboxDatabase } from "../db/schema.ts";
import { createSandboxService, type SandboxDeps } from "../service.ts";

export interface SandboxOptions extends Partial<SandboxConfig>, Pick<SandboxDeps, "fetch"> {
  /** Base URL of shoppers and callbacks. Default: an address where nothing listens. */
  readonly publicUrl?: () => string;
}

const secretOf = (byte: number) => `whsec_${Buffer.alloc(32, byte).toString("base64")}`;

/** The default signing secret of callbacks about parcels. */
export const sandboxCarrierSecret = secretOf(3);

/** The real sandbox on a database of its own, called over HTTP as in production. */
export async function startSandbox({ fetch: send, ...config }: SandboxOptions = {}) {
  await using opening = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "docket-sandbox-"));
  opening.defer(() => rm(folder, { recursive: true, force: true }));
  const settings = {
    databaseUrl: `sqlite:${join(folder, "sandbox.sqlite")}`,
    publicUrl: () => "http://127.0.0.1:1",
    apiKey: "sbx_key_test",
    paymentSecret: secretOf(7),
    carrierSecret: sandboxCarrierSecret,
    ...config,
  };
  const log = createLogger({ level: "silent", name: "test" });
  const service = opening.use(await createSandboxService(settings, { log, ...(send && { fetch: send }) }));
  opening.defer(() => service.drain());
  const interceptors = createInterceptors({ authenticate: async () => undefined, log, clock: systemClock });
  const server = createServer(createHttpHandler({ specs: [...service.specs], interceptors, onError: () => {} }));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  opening.defer(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { transport, mount } = createLocalTransport({ interceptors });
  mount(service.specs);
  await service.start();
  const db = opening.use(await openDatabase<SandboxDatabase>({ url: settings.databaseUrl }));
  const { apiKey, paymentSecret, carrierSecret } = settings;
  const stack = opening.move();
  return {
    baseUrl,
    apiKey,
    paymentSecret,
    carrierSecret,
    /** The sandbox's own tables. */
    db,
    /** Settings of the adapters. */
    provider: { baseUrl, apiKey, secret: paymentSecret },
    carrier: { baseUrl, apiKey, secret: carrierSecret },
    payments: createClient(SandboxPaymentService, transport),
    carriers: createClient(SandboxCarrierService, transport),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

export type RunningSandbox = Awaited<ReturnType<typeof startSandbox>>;
