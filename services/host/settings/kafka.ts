import * as v from "valibot";
import { list } from "../../runtime/config/lists.ts";
import { flag, integer, milliseconds, oneOf, secret, text } from "../../runtime/config/scalars.ts";

/** The broker that carries events between processes. */
export const kafkaSettings = v.object({
  brokers: list("DOCKET_KAFKA_BROKERS", {
    default: [],
    otherwise: "events are delivered within the process, and to others by RPC",
    description:
      "Addresses of some Kafka brokers, `host:port,host:port`; the others are discovered. Create the topics with the command `topics`.",
  }),
  clientId: text("DOCKET_KAFKA_CLIENT_ID", {
    default: "docket",
    description: "Name of this process in the logs and quotas of the brokers.",
  }),
  prefix: text("DOCKET_KAFKA_PREFIX", {
    default: "docket.",
    description:
      "Beginning of the names of topics (`docket.order` and others) and consumer groups, the same in all processes. Letters, digits, `.`, `_` and `-`.",
  }),
  partitions: integer("DOCKET_KAFKA_PARTITIONS", {
    default: 12,
    min: 1,
    max: 1000,
    description:
      "Partitions of a topic that `topics` creates: the most processes of one service that share its events.",
  }),
  replication: integer("DOCKET_KAFKA_REPLICATION", {
    default: 3,
    min: 1,
    max: 10,
    description: "Copies of each partition that `topics` creates. An event is acknowledged once all but one have it.",
  }),
  retentionMs: milliseconds("DOCKET_KAFKA_RETENTION", {
    default: "7d",
    min: "1h",
    description: "How long topics keep events: a service that is away for longer does not get them all.",
  }),
  sessionTimeoutMs: milliseconds("DOCKET_KAFKA_SESSION_TIMEOUT", {
    default: "10s",
    min: "1s",
    max: "5m",
    description:
      "Time after which the partitions of a process that died move to the others. The brokers' `group.min.session.timeout.ms` bounds it.",
  }),
  tls: flag("DOCKET_KAFKA_TLS", { default: false, description: "Whether brokers are connected to by TLS." }),
  tlsCaFile: text("DOCKET_KAFKA_TLS_CA_FILE", {
    otherwise: "the authorities that Node trusts",
    description: "PEM roots that have issued the brokers' certificates.",
  }),
  tlsCertFile: text("DOCKET_KAFKA_TLS_CERT_FILE", {
    description: "PEM file with this process's certificate, for mutual TLS.",
  }),
  tlsKeyFile: text("DOCKET_KAFKA_TLS_KEY_FILE", { description: "PEM file with the key of that certificate." }),
  saslMechanism: oneOf("DOCKET_KAFKA_SASL_MECHANISM", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], {
    otherwise: "no authentication by SASL",
    description: "How this process authenticates to the brokers.",
  }),
  saslUsername: text("DOCKET_KAFKA_SASL_USERNAME", { description: "User name for SASL." }),
  saslPassword: secret("DOCKET_KAFKA_SASL_PASSWORD", { min: 1, max: 1024, description: "Password for SASL." }),
});

/** Problems of settings that do not fit together. */
export function kafkaProblems(settings: v.InferOutput<typeof kafkaSettings>): string[] {
  const { brokers, prefix, tls, tlsCaFile, tlsCertFile, tlsKeyFile } = settings;
  const { saslMechanism, saslUsername, saslPassword } = settings;
  const problems: string[] = [];
  if (brokers.some((broker) => !/^(\[[0-9a-fA-F:]+\]|[^\s:]+):[0-9]{1,5}$/.test(broker))) {
    problems.push("DOCKET_KAFKA_BROKERS must be addresses such as kafka-1:9092 between commas");
  }
  if (!/^[A-Za-z0-9._-]{0,100}$/.test(prefix)) {
    problems.push("DOCKET_KAFKA_PREFIX must have at most 100 letters, digits, dots, underscores and hyphens");
  }
  if (!tls && [tlsCaFile, tlsCertFile, tlsKeyFile].some((file) => file !== undefined)) {
    problems.push("DOCKET_KAFKA_TLS must be true where a DOCKET_KAFKA_TLS_…_FILE is set");
  }
  if ((tlsCertFile === undefined) !== (tlsKeyFile === undefined)) {
    problems.push("DOCKET_KAFKA_TLS_CERT_FILE and DOCKET_KAFKA_TLS_KEY_FILE go together");
  }
  const sasl = [saslMechanism, saslUsername, saslPassword].filter((value) => value !== undefined);
  if (sasl.length !== 0 && sasl.length !== 3) {
    problems.push(
      "DOCKET_KAFKA_SASL_MECHANISM, DOCKET_KAFKA_SASL_USERNAME and DOCKET_KAFKA_SASL_PASSWORD go together: set all or none",
    );
  }
  return problems;
}
