import { type Meter, metrics } from "@opentelemetry/api";
import type { MetricSpecs } from "../../../gateway/telemetry/metric-spec.ts";

/** The meter of all of Docket's metrics, to be asked for after telemetry is started. Records nothing without it. */
export const meter = (): Meter => metrics.getMeter("docket");

/** Every metric of a Docket besides those of the process. */
export const runtimeMetrics = {
  rpcDuration: {
    name: "rpc.server.call.duration",
    type: "histogram",
    unit: "s",
    description: "Duration of RPCs that were served.",
    attributes: ["rpc.system.name", "rpc.method", "rpc.response.status_code"],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
  },
  rpcActive: {
    name: "rpc.server.active_calls",
    type: "upDownCounter",
    unit: "{call}",
    description: "RPCs that are being served.",
    attributes: ["rpc.method"],
  },
  batchSize: {
    name: "docket.command.batch_size",
    type: "histogram",
    unit: "{command}",
    description: "Commands per batch, which is one transaction.",
    attributes: ["service"],
    buckets: [1, 2, 4, 8, 16, 32, 64, 128],
  },
  commandWait: {
    name: "docket.command.wait",
    type: "histogram",
    unit: "s",
    description: "How long the first command of a batch waited for it to begin.",
    attributes: ["service"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
  },
  commandsWaiting: {
    name: "docket.commands.waiting",
    type: "gauge",
    unit: "{command}",
    description: "Commands that wait for a batch.",
    attributes: ["service"],
  },
  commandStatements: {
    name: "docket.command.statements",
    type: "counter",
    unit: "{statement}",
    description: "Statements of committed batches, without BEGIN and COMMIT.",
    attributes: ["service"],
  },
  commandRepeats: {
    name: "docket.command.repeated_transactions",
    type: "counter",
    unit: "{transaction}",
    description:
      "Transactions beyond one per batch, to find a row that the database refused or a key that was not new.",
    attributes: ["service"],
  },
  commandsRejected: {
    name: "docket.commands.rejected",
    type: "counter",
    unit: "{command}",
    description: "Commands rejected by the database. Refusals of the commands themselves are not counted.",
    attributes: ["service"],
  },
  configGeneration: {
    name: "docket.config.generation",
    type: "gauge",
    unit: "{generation}",
    description: "Generation of the configuration in use: 1 at the start, one more with each change.",
    attributes: [],
  },
  configReloads: {
    name: "docket.config.reloads",
    type: "counter",
    unit: "{reload}",
    description: "Configurations read again after a file changed, by result: applied, unchanged or invalid.",
    attributes: ["result"],
  },
  cacheReads: {
    name: "docket.cache.reads",
    type: "counter",
    unit: "{read}",
    description:
      "Reads of a cache by where the value was found: `local` in the process, `joined` in a load under way, `shared` in Redis, `loaded` nowhere.",
    attributes: ["cache", "outcome"],
  },
  watchedResource: {
    name: "process.watched_resource",
    type: "gauge",
    unit: "{resource}",
    description: "Resources that are watched for leaks, by kind.",
    attributes: ["resource"],
  },
} as const satisfies MetricSpecs;
