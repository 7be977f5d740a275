import * as v from "valibot";
import { entries, list } from "../../runtime/config/lists.ts";
import { integer, milliseconds, oneOf, secret, text, url } from "../../runtime/config/scalars.ts";

/** What a process runs, on which data, and how it starts and stops. */
export const processSettings = v.object({
  services: list("DOCKET_SERVICES", {
    default: ["all"],
    description:
      "What this process runs: `all`, or some of `order`, `payment`, `logistics`, `inventory`, `operations`, `sandbox` and `gateway`.",
  }),
  serviceAddresses: entries("DOCKET_SERVICE_ADDRESSES", {
    default: {},
    description:
      "gRPC addresses of the services that other processes run: `order=host:port,payment=host:port`. A name is resolved to all of its addresses, which are used in rotation; so are the numeric ones of a service that is named several times.",
  }),
  serviceSecret: secret("DOCKET_SERVICE_SECRET", {
    live: true,
    min: 32,
    max: 512,
    otherwise: "required with several processes",
    description: "Secret with which services authenticate each other, the same in all processes of an installation.",
  }),
  acceptedServiceSecret: secret("DOCKET_SERVICE_SECRET_ACCEPTED", {
    live: true,
    min: 32,
    max: 512,
    description:
      "A second secret that is accepted from other services: the next one, before it replaces `DOCKET_SERVICE_SECRET`, and the previous one afterwards.",
  }),
  dataDir: text("DOCKET_DATA_DIR", { default: ".docket", description: "Folder of databases and secrets." }),
  databaseUrl: url("DOCKET_DATABASE_URL", ["mysql"], {
    live: true,
    otherwise: "SQLite in the data folder",
    description:
      "MySQL in place of SQLite, `mysql://user:password@host:port/prefix`: each service has a schema whose name begins with the prefix. With `?replica=host:port` lists, filters, statistics and exports are read on that replica (MariaDB with GTID; same user and TLS).",
  }),
  databaseConnections: integer("DOCKET_DATABASE_CONNECTIONS", {
    default: 16,
    min: 2,
    description:
      "Most connections of each service to a MySQL database. A function has 4, since it serves one call at a time.",
  }),
  queryTimeoutMs: milliseconds("DOCKET_QUERY_TIMEOUT", {
    default: "10s",
    min: "1ms",
    max: "1d",
    description:
      "Time limit of one SELECT for a list, a filter, statistics or an export; then DEADLINE_EXCEEDED, reason `QUERY_TOO_EXPENSIVE`.",
  }),
  sandboxSecret: secret("DOCKET_SANDBOX_SECRET", {
    min: 32,
    max: 512,
    otherwise: "generated at the first start",
    description:
      "Secret from which the sandbox's API key and the signing secrets of its callbacks are derived, the same in all processes.",
  }),
  sandboxUrl: url("DOCKET_SANDBOX_URL", ["http", "https"], {
    otherwise: "this process's HTTP port, or the public URL",
    description: "Base URL at which payment and logistics call the sandbox.",
  }),
  paymentProviders: list("DOCKET_PAYMENT_PROVIDERS", {
    default: ["sandbox"],
    description: "Payment providers; the first one is that of orders that name none.",
  }),
  carriers: list("DOCKET_CARRIERS", {
    default: ["sandbox"],
    description: "Carriers; the first one ships the orders that name none.",
  }),
  logLevel: oneOf("DOCKET_LOG_LEVEL", ["fatal", "error", "warn", "info", "debug", "trace", "silent"], {
    live: true,
    default: "info",
    description: "The least severe level that is logged.",
  }),
  drainWindowMs: milliseconds("DOCKET_DRAIN_WINDOW", {
    default: "0s",
    description: "How long requests are still served after SIGTERM, so that load balancers can react.",
  }),
  drainBudgetMs: milliseconds("DOCKET_DRAIN_BUDGET", {
    otherwise: "15s, as in Kubernetes; 10s on Cloud Run, 300ms on AWS Lambda",
    description: "Time for calls and streams to end after SIGTERM; the process exits then at the latest.",
  }),
});
