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
  eventsPublished: {
    name: "docket.events.published",
    type: "counter",
    unit: "{event}",
    description:
      "Events that the bus has taken, by the service that published them and their type: what became of orders, payments, shipments and stock.",
    attributes: ["service", "event_type"],
  },
  outboxDelay: {
    name: "docket.outbox.delay",
    type: "histogram",
    unit: "s",
    description: "Time from an event's commit until the bus has taken it.",
    attributes: ["service"],
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  },
  outboxUnsent: {
    name: "docket.outbox.unsent",
    type: "gauge",
    unit: "{event}",
    description: "Events in the outbox of a service's database that are not sent, counted up to 1,000.",
    attributes: ["service"],
  },
  outboxLag: {
    name: "docket.outbox.lag",
    type: "gauge",
    unit: "s",
    description: "Age of the oldest of them; 0 without any.",
    attributes: ["service"],
  },
  inboxBatchSize: {
    name: "docket.inbox.batch_size",
    type: "histogram",
    unit: "{event}",
    description: "Events that a consumer received in one transaction.",
    attributes: ["consumer"],
    buckets: [1, 2, 4, 8, 16, 32, 64, 128],
  },
  inboxParked: {
    name: "docket.inbox.parked",
    type: "gauge",
    unit: "{aggregate}",
    description:
      "Aggregates in a service's database with events that have failed and are retried, counted up to 1,000.",
    attributes: ["service"],
  },
  deadLetters: {
    name: "docket.dead_letters",
    type: "counter",
    unit: "{event}",
    description: "Events that became dead letters.",
    attributes: ["consumer"],
  },
  sagaStepDuration: {
    name: "docket.saga.step.duration",
    type: "histogram",
    unit: "s",
    description:
      "Duration of saga steps and compensations by their outcome: `done`, `refused`, `keep-waiting`, `later`, `failed` or `interrupted`.",
    attributes: ["saga", "step", "outcome"],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  },
  sagaLag: {
    name: "docket.saga.lag",
    type: "gauge",
    unit: "s",
    description: "How long the saga that has been due for longest waits for a runner; 0 without any.",
    attributes: ["service"],
  },
  callbacks: {
    name: "docket.callbacks",
    type: "counter",
    unit: "{callback}",
    description:
      "Callbacks of providers and carriers: `applied` with their receipt or stored before, `postponed` to the worker, or `rejected` by verification.",
    attributes: ["inbox", "source", "outcome"],
  },
  webhookAttempts: {
    name: "docket.webhook.attempts",
    type: "counter",
    unit: "{attempt}",
    description: "Attempts to send webhooks: `delivered` or `failed`.",
    attributes: ["outcome"],
  },
  httpClientDuration: {
    name: "http.client.request.duration",
    type: "histogram",
    unit: "s",
    description:
      "Duration of requests to the APIs of providers and carriers, each attempt by itself; `error_type` is the status of a refusal, or `timeout` or `connection`.",
    attributes: ["http.request.method", "server.address", "http.response.status_code", "error.type"],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
  },
  watchedResource: {
    name: "process.watched_resource",
    type: "gauge",
    unit: "{resource}",
    description: "Resources that are watched for leaks, by kind.",
    attributes: ["resource"],
  },
  leakSuspect: {
    name: "docket.leak.suspect",
    type: "gauge",
    unit: "{suspect}",
    description: "1 for a resource that has kept growing through its window; `/probe/leaks` says what is behind it.",
    attributes: ["resource"],
  },
} as const satisfies MetricSpecs;
