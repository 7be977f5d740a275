import { createDeadLetterAdmin } from "../runtime/admin/dead-letter-admin.ts";
import { recordByOutbox } from "../runtime/admin/record-act.ts";
import { createSagaAdmin } from "../runtime/admin/saga-admin.ts";
import { createCommandsInTransaction } from "../runtime/commands/in-transaction.ts";
import { parkedCheck } from "../runtime/inbox/parked-check.ts";
import { createJobTable } from "../runtime/jobs/job-table.ts";
import { createSagaClient } from "../runtime/saga/create-saga-client.ts";
import type { SagaDefinition } from "../runtime/saga/definition.ts";
import { sagaLagCheck } from "../runtime/saga/lag-check.ts";
import { createSagaRunner } from "../runtime/saga/runner/runner.ts";
import type { Service } from "../runtime/service/service.ts";
import { createServiceBase, type ServiceDeps } from "../runtime/service/service-base.ts";
import { sagaRules } from "./admin/saga-rules.ts";
import { createChangeNotifier } from "./change-notifier.ts";
import type { OrderConfig } from "./config.ts";
import { createPaymentConsumer } from "./consumers/payments.ts";
import { createReservationConsumer } from "./consumers/reservations.ts";
import { createShipmentConsumer } from "./consumers/shipments.ts";
import type { OrderClients, OrderContext } from "./context.ts";
import { migrations } from "./db/migrations.ts";
import type { OrderDatabase } from "./db/schema.ts";
import { createFeedTail } from "./feed-tail.ts";
import { jobs } from "./jobs.ts";
import { routes } from "./routes.ts";
import { anonymizeOrder } from "./saga/anonymize-order.ts";
import { giveLinesBack } from "./saga/give-lines-back.ts";
import { latePayment } from "./saga/late-payment.ts";
import { placeOrder } from "./saga/place-order.ts";
import { createOrderReads } from "./store/order-reads.ts";

/** Dependencies that the order service does not create itself. */
export interface OrderDeps extends ServiceDeps {
  readonly clients: OrderClients;
}

/** Creates the order service, after migrating its schema. */
export async function createOrderService(config: OrderConfig, deps: OrderDeps): Promise<Service> {
  const { databaseUrl } = config;
  const base = await createServiceBase<OrderDatabase>({ name: "order", databaseUrl, migrations }, deps);
  await using opening = base.stack;
  const { db, bus, commands, outbox, relay, clock, ids, random, log } = base;
  const draining = new AbortController();
  const changed = createChangeNotifier();
  const sagas = createSagaClient({ db, outbox });
  const ctx: OrderContext = {
    config,
    db,
    reads: createOrderReads(db),
    commands,
    runCommands: createCommandsInTransaction({ dialect: db.dialect, outbox, clock }),
    clients: deps.clients,
    clock,
    ids,
    log,
    outbox,
    sagas,
    changed,
    feedTail: createFeedTail({ db, log, changed }),
    draining: draining.signal,
  };
  const definitions = [placeOrder(ctx), latePayment(ctx), giveLinesBack(ctx), anonymizeOrder(ctx)];
  const runner = createSagaRunner({
    db,
    commands: base.commands,
    sagas,
    outbox,
    log,
    clock,
    ids,
    random,
    definitions: definitions as SagaDefinition<unknown>[],
  });
  const consumers = [
    createPaymentConsumer(ctx, bus),
    createShipmentConsumer(ctx, bus),
    createReservationConsumer(ctx, bus),
  ];
  const record = recordByOutbox(outbox);
  const background = opening.use(createJobTable(jobs(ctx, { relay, runner, consumers })));
  opening.defer(() => draining.abort());
  const stack = opening.move();
  return {
    name: "order",
    specs: routes(ctx),
    admin: {
      sagas: createSagaAdmin({ service: "order", db, sagas: ctx.sagas, rules: sagaRules(ctx), record }),
      deadLetters: createDeadLetterAdmin({ service: "order", db, consumers, record }),
    },
    checks: {
      ...base.checks,
      "order-saga-lag": sagaLagCheck(db, "order"),
      "order-parked-events": parkedCheck(db, "order"),
    },
    jobs: background,
    start: async () => background.start(),
    endStreams: () => draining.abort(),
    pause: () => background.pause(),
    drain: () => background.drain(),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
