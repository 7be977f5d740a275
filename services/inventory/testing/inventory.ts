import type { Client } from "@connectrpc/connect";
import { InventoryService } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { createInProcessBus } from "../../runtime/bus/in-process.ts";
import { createLocalTransport } from "../../runtime/call/local-transport.ts";
import { createServiceClient } from "../../runtime/call/service-client.ts";
import type { OnStatement } from "../../runtime/db/statement.ts";
import { createInterceptors } from "../../runtime/interceptors/interceptors.ts";
import { createLogger } from "../../runtime/telemetry/log.ts";
import type { OpenTestDatabase } from "../../runtime/testing/databases.ts";
import { systemClock } from "../../runtime/values/clock.ts";
import type { InventoryDatabase } from "../db/schema.ts";
import { createInventoryService } from "../service.ts";

export const tenant = "tenant-a";

interface StartOptions {
  readonly expiryPollMs?: number;
  readonly onStatement?: OnStatement;
}

/** Starts the real service on an empty database, called as other services call it. */
export async function startInventory(open: OpenTestDatabase, options: StartOptions = {}) {
  await using opening = new AsyncDisposableStack();
  const db = await open<InventoryDatabase>();
  const log = createLogger({ level: "silent", name: "test" });
  const bus = opening.use(createInProcessBus({ log, redelivery: { initialMs: 1, maxMs: 20 } }));
  const service = opening.use(
    await createInventoryService(
      { databaseUrl: db.url, expiryPollMs: options.expiryPollMs ?? 20 },
      { bus, log, ...(options.onStatement && { onStatement: options.onStatement }) },
    ),
  );
  opening.defer(() => service.drain());
  const interceptors = createInterceptors({
    authenticate: async () => undefined,
    log,
    clock: systemClock,
  });
  const { transport, mount } = createLocalTransport({ interceptors });
  mount(service.specs);
  const clients = createServiceClient(InventoryService, transport, { subject: "test" });
  const stack = opening.move();
  return {
    db,
    bus,
    service,
    clientOf: (name: string): Client<typeof InventoryService> => clients.for(name),
    inventory: clients.for(tenant),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** A hold duration longer than any test. */
export const longTtl = { seconds: 3600n };
