import { readFile } from "node:fs/promises";
import type { KafkaOptions } from "../runtime/bus/kafka/connection.ts";
import type { KafkaBus } from "../runtime/bus/kafka/kafka-bus.ts";
import type { TopicPlan } from "../runtime/bus/kafka/topics.ts";
import { ConfigError } from "../runtime/config/config-error.ts";
import type { Logger } from "../runtime/telemetry/log.ts";
import type { HostConfig } from "./config.ts";

/** The packages of events: of the services that publish, and of the audit trail, to which all of them do. */
export const packages: readonly string[] = ["order", "payment", "logistics", "inventory", "audit"];

/**
 * Opens the bus on Kafka.
 *
 * @throws ConfigError if no broker responds, and if the topics are not as `topics` makes them
 */
export async function openKafkaBus(config: HostConfig["kafka"], log: Logger): Promise<KafkaBus> {
  const kafka = await kafkaOptions(config);
  // Loaded only where it is used.
  const [{ createKafkaBus }, { topicProblems }] = await Promise.all([
    import("../runtime/bus/kafka/kafka-bus.ts"),
    import("../runtime/bus/kafka/topics.ts"),
  ]);
  const problems = await reaching(config, () => topicProblems(kafka, planOf(config)));
  if (problems.length > 0) {
    throw new ConfigError([
      ...problems,
      "Run `node services/main.ts topics` with the same settings, which creates and repairs Kafka's topics.",
    ]);
  }
  return createKafkaBus({ kafka, packages, log });
}

/** Creates the missing topics and configures all. Returns what it did: one line each. */
export async function makeTopics(config: HostConfig["kafka"]): Promise<string> {
  if (config.brokers.length === 0) {
    throw new ConfigError(["DOCKET_KAFKA_BROKERS must be set for the command topics"]);
  }
  const { createTopics } = await import("../runtime/bus/kafka/topics.ts");
  const kafka = await kafkaOptions(config);
  const outcomes = await reaching(config, () => createTopics(kafka, planOf(config)));
  return outcomes
    .map(
      ({ topic, partitions, created }) => `${topic}: ${created ? "created" : "configured"}, ${partitions} partitions\n`,
    )
    .join("");
}

function planOf({ partitions, replication, retentionMs }: HostConfig["kafka"]): TopicPlan {
  return { packages, partitions, replication, retentionMs };
}

async function kafkaOptions(config: HostConfig["kafka"]): Promise<KafkaOptions> {
  const { brokers, clientId, prefix, sessionTimeoutMs, tls } = config;
  const { saslMechanism: mechanism, saslUsername: username, saslPassword: password } = config;
  const ca = await pem("DOCKET_KAFKA_TLS_CA_FILE", config.tlsCaFile);
  const cert = await pem("DOCKET_KAFKA_TLS_CERT_FILE", config.tlsCertFile);
  const key = await pem("DOCKET_KAFKA_TLS_KEY_FILE", config.tlsKeyFile);
  return {
    ...{ brokers, clientId, prefix, sessionTimeoutMs },
    ...(tls && {
      tls: { ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) },
    }),
    ...(mechanism !== undefined &&
      username !== undefined &&
      password !== undefined && { sasl: { mechanism, username, password } }),
  };
}

async function pem(variable: string, path: string | undefined): Promise<string | undefined> {
  try {
    return path === undefined ? undefined : await readFile(path, "utf8");
  } catch (error) {
    throw new ConfigError([`${variable} cannot be read (${(error as Error).message})`]);
  }
}

async function reaching<T>({ brokers }: HostConfig["kafka"], work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new ConfigError([
      `Kafka at ${brokers.join(", ")} does not serve this process (${reasonsOf(error)}): check DOCKET_KAFKA_BROKERS, and how it is connected to`,
    ]);
  }
}

/** The messages of an error and of those behind it, each once. */
function reasonsOf(error: unknown): string {
  const messages = (each: unknown): string[] => {
    const { message = String(each), errors = [], cause } = each as Partial<AggregateError>;
    return [message, ...errors.flatMap(messages), ...(cause === undefined ? [] : messages(cause))];
  };
  return [...new Set(messages(error))].join("; ");
}
