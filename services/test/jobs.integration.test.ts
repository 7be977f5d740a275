import { expect, test } from "@jest/globals";
import { readHostConfig } from "../host/config.ts";
import { definitions } from "../host/definitions.ts";
import type { ServiceName } from "../host/targets.ts";
import { createInProcessBus } from "../runtime/bus/in-process.ts";
import { createLocalTransport } from "../runtime/call/local-transport.ts";
import { fixed } from "../runtime/config/live.ts";
import type { Statement } from "../runtime/db/statement.ts";
import { createLogger } from "../runtime/telemetry/log.ts";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { createStatementLog } from "../runtime/testing/statement-log.ts";
import { until } from "../runtime/testing/until.ts";
import { systemClock } from "../runtime/values/clock.ts";

/** A statement that only the job sends. */
type Trace = (statement: Statement) => boolean;

const reads =
  (pattern: RegExp): Trace =>
  ({ sql }) =>
    pattern.test(sql.replace(/[`"]/g, "").replace(/\s+/g, " "));
const inbox =
  (consumer: string): Trace =>
  ({ sql, parameters }) =>
    sql.includes("inbox_parked") && sql.includes("due_at") && parameters.includes(consumer);
const outbox = reads(/outbox_relays|outbox_buckets/);

/** The job table of each service, each row with a trace that it leaves. */
const jobs: Readonly<Record<ServiceName, Readonly<Record<string, Trace>>>> = {
  order: {
    outbox,
    sagas: reads(/from sagas/),
    "inbox order.payments": inbox("order.payments"),
    "inbox order.shipments": inbox("order.shipments"),
    "inbox order.reservations": inbox("order.reservations"),
    retention: reads(/from idempotency_keys/),
  },
  payment: {
    outbox,
    callbacks: reads(/from inbound_callbacks where due_at/),
    reconciliation: reads(/from payments where due_at/),
    operations: reads(/from payment_operations where due_at/),
    retention: reads(/from payment_operations where prune_at/),
  },
  logistics: {
    outbox,
    callbacks: reads(/from inbound_callbacks where due_at/),
    shipments: reads(/from shipments/),
    retention: reads(/from idempotency_keys/),
  },
  inventory: {
    "inbox inventory.shipments": inbox("inventory.shipments"),
    outbox,
    reservations: reads(/from reservations/),
    retention: reads(/from idempotency_keys/),
  },
  operations: {
    "inbox operations.audit": inbox("operations.audit"),
    retention: reads(/from audit_events/),
  },
  sandbox: {
    webhooks: reads(/from callbacks where due_at/),
    retention: reads(/from callbacks where prune_at/),
  },
};

describeEachDatabase("the job table", (open) => {
  test.each(Object.keys(jobs) as ServiceName[])("of the %s service", async (name) => {
    const log = createLogger({ level: "silent", name: "test" });
    const sent = createStatementLog();
    await using bus = createInProcessBus({ log });
    const { transport } = createLocalTransport({ interceptors: [] });
    const config = readHostConfig({ DOCKET_RETENTION_INTERVAL: "10ms" });
    await using service = await definitions[name].create({
      config,
      live: fixed(config),
      databaseUrl: (await open<unknown>()).url,
      publicUrl: "http://127.0.0.1:1",
      sandboxUrl: "http://127.0.0.1:1",
      adminKey: "k".repeat(32),
      sandboxSecret: "s".repeat(32),
      transport,
      transportTo: () => transport,
      onKeyEnded: () => {},
      shared: { bus, clock: systemClock, log, onStatement: sent.onStatement },
    });
    const traces = jobs[name];
    const running = () => Object.keys(traces).filter((job) => sent.statements.some((entry) => traces[job]?.(entry)));

    expect(service.jobs.rows.map((row) => row.name)).toEqual(Object.keys(traces));
    for (const { does, work } of service.jobs.rows) {
      expect(does).toMatch(/^[A-Z].*\.$/);
      expect(work.everyMs).toBeGreaterThan(0);
    }
    sent.clear();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(running()).toEqual([]);

    await service.start();
    await until(() => running().length === Object.keys(traces).length);

    await service.drain();
    sent.clear();
    const longest = Math.max(...service.jobs.rows.map(({ work }) => work.everyMs).filter((everyMs) => everyMs <= 500));
    await new Promise((resolve) => setTimeout(resolve, 2 * longest));
    expect(running()).toEqual([]);
  });
});
