import { createDeadLetterAdmin } from "../runtime/admin/dead-letter-admin.ts";
import { recordByOutbox } from "../runtime/admin/record-act.ts";
import { createCommandsInTransaction } from "../runtime/commands/in-transaction.ts";
import { idempotencyRetention } from "../runtime/idempotency/retention.ts";
import { createConsumer } from "../runtime/inbox/consumer.ts";
import { parkedCheck } from "../runtime/inbox/parked-check.ts";
import { inboxRetention } from "../runtime/inbox/retention.ts";
import { outboxRetention } from "../runtime/outbox/retention.ts";
import { startRetention } from "../runtime/retention/retention.ts";
import { defaultRetention } from "../runtime/retention/settings.ts";
import type { Service } from "../runtime/service/service.ts";
import { createServiceBase, type ServiceDeps } from "../runtime/service/service-base.ts";
import type { InventoryConfig } from "./config.ts";
import { onShipmentClosed } from "./consumers/shipment-closed.ts";
import { onShipmentCollected } from "./consumers/shipment-collected.ts";
import type { InventoryContext } from "./context.ts";
import { migrations } from "./db/migrations.ts";
import type { InventoryDatabase } from "./db/schema.ts";
import { routes } from "./routes.ts";
import { createExpirySweep } from "./workers/expire-reservations.ts";

/**
 * Creates the inventory service, which manages items, their stock and ledger, and reservations. Migrates its schema
 * first and subscribes its consumers.
 */
export async function createInventoryService(config: InventoryConfig, deps: ServiceDeps = {}): Promise<Service> {
  const { databaseUrl } = config;
  const base = await createServiceBase<InventoryDatabase>({ name: "inventory", databaseUrl, migrations }, deps);
  await using opening = base.stack;
  const { db, bus, commands, outbox, relay, clock, ids, random, log } = base;
  const ctx: InventoryContext = { db, commands, outbox, clock, log };
  const sweep = createExpirySweep(ctx, { pollMs: config.expiryPollMs });
  const kept = config.retention ?? defaultRetention;
  const retention = startRetention({
    log,
    everyMs: kept.everyMs,
    rules: [
      outboxRetention(db, kept.outboxMs),
      ...inboxRetention(base, kept),
      idempotencyRetention(base, kept.idempotencyKeysMs),
    ],
  });
  const consumer = createConsumer<InventoryDatabase>({
    db,
    bus,
    consumer: "inventory.shipments",
    handlers: [onShipmentCollected(ctx), onShipmentClosed(ctx)],
    runCommands: createCommandsInTransaction({ dialect: db.dialect, outbox, clock }),
    log,
    ids,
    random,
  });

  opening.use(consumer);
  opening.use(sweep);
  opening.use(retention);
  const stack = opening.move();
  return {
    name: "inventory",
    specs: routes(ctx),
    admin: {
      deadLetters: createDeadLetterAdmin({
        service: "inventory",
        db,
        consumers: [consumer],
        record: recordByOutbox(outbox),
      }),
    },
    checks: { ...base.checks, "inventory-parked-events": parkedCheck(db) },
    jobs: {
      outbox: relay.runDue,
      reservations: sweep.runDue,
      inbox: consumer.retryDue,
      retention: retention.runDue,
    },
    async start() {
      consumer.start();
      relay.start();
      sweep.start();
    },
    async drain() {
      await Promise.all([sweep.drain(), relay.drain()]);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
