import { counter, gauge, histogram } from "../../../gateway/telemetry/metric-spec.ts";
import { meter, runtimeMetrics as specs } from "../telemetry/metrics.ts";
import type { BatchReport } from "./commands.ts";

/** Returns the `onBatch` of a command processor: metrics, labelled with the service whose database it writes. */
export function reportBatches(service: string): (batch: BatchReport) => void {
  const to = meter();
  const size = histogram(to, specs.batchSize);
  const wait = histogram(to, specs.commandWait);
  const waiting = gauge(to, specs.commandsWaiting);
  const statements = counter(to, specs.commandStatements);
  const repeated = counter(to, specs.commandRepeats);
  const rejected = counter(to, specs.commandsRejected);
  const of = { service };
  return (batch) => {
    size.record(batch.commands, of);
    wait.record(batch.waitMs / 1000, of);
    waiting.record(batch.waiting, of);
    statements.add(batch.statements, of);
    repeated.add(batch.attempts - 1, of);
    rejected.add(batch.rejected, of);
  };
}
