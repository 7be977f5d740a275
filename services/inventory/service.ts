import { createDeadLetterAdmin } from "../runtime/admin/dead-letter-admin.ts";
import { recordByOutbox } from "../runtime/admin/record-act.ts";
import { createCommandsInTransaction } from "../runtime/commands/in-transaction.ts";
import { createConsumer } from "../runtime/inbox/consumer.ts";
import { parkedCheck } from "../runtime/inbox/parked-check.ts";
import { createJobTable } from "../runtime/jobs/job-table.ts";
import { defaultRetention } from "../runtime/retention/settings.ts";
import type { Service } from "../runtime/service/service.ts";
import { createServiceBase, type ServiceDeps } from "../runtime/service/service-base.ts";
import type { InventoryConfig } from "./config.ts";
import { onShipmentClosed } from "./consumers/shipment-closed.ts";
import { onShipmentCollected } from "./consumers/shipment-collected.ts";
import type { InventoryContext } from "./context.ts";
import { migrations } from "./db/migrations.ts";
import type { InventoryDatabase } from "./db/schema.ts";
import { jobs } from "./jobs.ts";
import { routes } from "./routes.ts";

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
  const kept = config.retention ?? defaultRetention;
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

  const { expiryPollMs } = config;
  const background = opening.use(createJobTable(jobs(ctx, { relay, consumer, ids, expiryPollMs, kept })));
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
    checks: { ...base.checks, "inventory-parked-events": parkedCheck(db, "inventory") },
    jobs: background,
    start: async () => background.start(),
    pause: () => background.pause(),
    drain: () => background.drain(),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
