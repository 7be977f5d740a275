import { expect, test } from "@jest/globals";
import { startTelemetry } from "../../../gateway/telemetry/start-telemetry.ts";
import { reportBatches } from "./report-batches.ts";

test("batches are counted per service", async () => {
  const telemetry = await startTelemetry({ serviceName: "test", environment: {} });
  const onBatch = reportBatches("inventory");
  onBatch({ commands: 40, waitMs: 3, waiting: 7, attempts: 1, statements: 9, rejected: 0 });
  onBatch({ commands: 2, waitMs: 30, waiting: 0, attempts: 4, statements: 12, rejected: 1 });
  reportBatches("payment")({ commands: 1, waitMs: 0, waiting: 0, attempts: 1, statements: 3, rejected: 0 });

  const lines = (await telemetry.metrics.read()).split("\n");
  await telemetry.shutdown();

  expect(lines).toEqual(
    expect.arrayContaining([
      "# TYPE docket_command_batch_size histogram",
      'docket_command_batch_size_bucket{service="inventory",le="2"} 1',
      'docket_command_batch_size_sum{service="inventory"} 42',
      'docket_command_wait_seconds_bucket{service="inventory",le="0.005"} 1',
      'docket_commands_waiting{service="inventory"} 0',
      'docket_command_statements_total{service="inventory"} 21',
      'docket_command_repeated_transactions_total{service="inventory"} 3',
      'docket_commands_rejected_total{service="inventory"} 1',
      'docket_command_statements_total{service="payment"} 3',
    ]),
  );
});
