import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { BatchReport } from "./commands.ts";

/** Metrics of all command processors of a process, labelled with the service whose database they write. */
export interface CommandMetrics {
  /** Returns the `onBatch` of a service's processor. */
  of(service: string): (batch: BatchReport) => void;
}

/** Registers the metrics in `registry`. Once per registry. */
export function createCommandMetrics(registry: Registry): CommandMetrics {
  const common = { labelNames: ["service"], registers: [registry] };
  const size = new Histogram({
    ...common,
    name: "docket_command_batch_size",
    help: "Commands per batch, which is one transaction.",
    buckets: [1, 2, 4, 8, 16, 32, 64, 128],
  });
  const wait = new Histogram({
    ...common,
    name: "docket_command_wait_seconds",
    help: "How long the first command of a batch waited for it to begin.",
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
  });
  const waiting = new Gauge({ ...common, name: "docket_commands_waiting", help: "Commands that wait for a batch." });
  const statements = new Counter({
    ...common,
    name: "docket_command_statements_total",
    help: "Statements of committed batches, without BEGIN and COMMIT.",
  });
  const repeated = new Counter({
    ...common,
    name: "docket_command_repeated_transactions_total",
    help: "Transactions beyond one per batch, to find a row that the database refused or a key that was not new.",
  });
  const rejected = new Counter({
    ...common,
    name: "docket_commands_rejected_total",
    help: "Commands rejected by the database. Refusals of the commands themselves are not counted.",
  });
  return {
    of(service) {
      const of = {
        size: size.labels(service),
        wait: wait.labels(service),
        waiting: waiting.labels(service),
        statements: statements.labels(service),
        repeated: repeated.labels(service),
        rejected: rejected.labels(service),
      };
      return (batch) => {
        of.size.observe(batch.commands);
        of.wait.observe(batch.waitMs / 1000);
        of.waiting.set(batch.waiting);
        of.statements.inc(batch.statements);
        of.repeated.inc(batch.attempts - 1);
        of.rejected.inc(batch.rejected);
      };
    },
  };
}
