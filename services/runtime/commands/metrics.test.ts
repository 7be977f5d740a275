import { expect, test } from "@jest/globals";
import { Registry } from "prom-client";
import { createCommandMetrics } from "./metrics.ts";

test("batches are counted per service", async () => {
  const registry = new Registry();
  const metrics = createCommandMetrics(registry);
  const onBatch = metrics.of("inventory");
  onBatch({ commands: 40, waitMs: 3, waiting: 7, attempts: 1, statements: 9, rejected: 0 });
  onBatch({ commands: 2, waitMs: 30, waiting: 0, attempts: 4, statements: 12, rejected: 1 });
  metrics.of("payment")({ commands: 1, waitMs: 0, waiting: 0, attempts: 1, statements: 3, rejected: 0 });

  const lines = (await registry.metrics()).split("\n");

  expect(lines).toEqual(
    expect.arrayContaining([
      'docket_command_batch_size_bucket{le="2",service="inventory"} 1',
      'docket_command_batch_size_sum{service="inventory"} 42',
      'docket_command_wait_seconds_bucket{le="0.005",service="inventory"} 1',
      'docket_commands_waiting{service="inventory"} 0',
      'docket_command_statements_total{service="inventory"} 21',
      'docket_command_repeated_transactions_total{service="inventory"} 3',
      'docket_commands_rejected_total{service="inventory"} 1',
      'docket_command_statements_total{service="payment"} 3',
    ]),
  );
});
