import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, openSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { endWithParent } from "./end-with-parent.ts";
import { freePorts } from "./free-ports.ts";
import { findProgram } from "./mariadb.ts";

export const kafkaVersion = "4.3.1";

/** Where `tools/kafka-jars.ts` puts the broker. */
export const kafkaJars = join(import.meta.dirname, "../../../.cache/kafka", kafkaVersion);

export interface KafkaServerOptions {
  /** Opens a second port, with TLS by these PEM texts and SASL PLAIN for this user. */
  readonly secure?:
    | {
        readonly cert: string;
        readonly key: string;
        readonly username: string;
        readonly password: string;
      }
    | undefined;
}

/** A private Kafka broker in a temporary folder, on the loopback, without authentication. */
export interface KafkaServer extends AsyncDisposable {
  /** `host:port`. */
  readonly address: string;
  /** `localhost:port` with TLS and SASL; without such an option nothing listens there. */
  readonly secureAddress: string;
  readonly pid: number;
  /** Kills the broker like a crash. Its folder is kept. */
  kill(): Promise<void>;
  /** Kills the broker unless that was done, and starts it on the same folder and port. */
  restart(): Promise<void>;
}

/** Why {@link startKafka} cannot start a broker here. Undefined if it can. */
export function whyNoKafka(): string | undefined {
  if (findProgram("java") === undefined) {
    return "there is no Java";
  }
  return existsSync(kafkaJars) ? undefined : "Kafka was not fetched by tools/kafka-jars.ts";
}

const heap = ["-Xms64m", "-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
const startTimeoutMs = 60_000;

/**
 * Starts a broker, which is its own controller. The broker and its folder are removed within a second after this process
 * ends, in whatever way.
 */
export async function startKafka({ secure }: KafkaServerOptions = {}): Promise<KafkaServer> {
  const java = findProgram("java");
  if (java === undefined) {
    throw new Error("there is no Java");
  }
  const folder = await mkdtemp(join(tmpdir(), "docket-kafka-"));
  const [port = 0, controllerPort = 0, securePort = 0] = await freePorts(3);
  const settings = join(folder, "server.properties");
  await writeFile(settings, propertiesOf({ folder, port, controllerPort, securePort, secure }));
  const classPath = ["-cp", join(kafkaJars, "*")];
  // Base64 for URLs, which must not look like an option.
  const cluster = `A${randomBytes(16).toString("base64url").slice(1)}`;
  const format = ["kafka.tools.StorageTool", "format", "--standalone", "-t", cluster, "-c", settings];
  await promisify(execFile)(java, [...heap, ...classPath, ...format]);

  let starts = 0;
  const run = async () => {
    starts += 1;
    const path = join(folder, `server-${starts}.log`);
    const log = openSync(path, "a");
    const child = spawn(java, [...heap, ...classPath, "kafka.Kafka", settings], {
      stdio: ["ignore", log, log],
      detached: true,
    });
    child.unref();
    endWithParent(child, folder);
    const deadlineMs = performance.now() + startTimeoutMs;
    for (;;) {
      const text = await readFile(path, "utf8");
      if (text.includes("Kafka Server started")) {
        return child;
      }
      if (child.exitCode !== null || performance.now() > deadlineMs) {
        throw new Error(`Kafka did not start:\n${text.slice(-4000)}`);
      }
      await sleep(50);
    }
  };

  let child = await run();
  const kill = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.ref();
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  };
  return {
    address: `127.0.0.1:${port}`,
    secureAddress: `localhost:${securePort}`,
    get pid() {
      return child.pid ?? 0;
    },
    kill,
    async restart() {
      await kill();
      child = await run();
    },
    async [Symbol.asyncDispose]() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function propertiesOf(
  at: { folder: string; port: number; controllerPort: number; securePort: number } & KafkaServerOptions,
): string {
  const { secure } = at;
  const isOpen = secure === undefined ? [] : [`SECURE://localhost:${at.securePort}`];
  const advertised = [`PLAINTEXT://127.0.0.1:${at.port}`, ...isOpen].join(",");
  const login = `org.apache.kafka.common.security.plain.PlainLoginModule required user_${secure?.username}="${secure?.password}";`;
  const oneLine = (pem = "") => pem.trim().replaceAll("\n", "\\n");
  return [
    ...(secure === undefined
      ? []
      : [
          "listener.name.secure.sasl.enabled.mechanisms=PLAIN",
          `listener.name.secure.plain.sasl.jaas.config=${login}`,
          "listener.name.secure.ssl.keystore.type=PEM",
          `listener.name.secure.ssl.keystore.certificate.chain=${oneLine(secure.cert)}`,
          `listener.name.secure.ssl.keystore.key=${oneLine(secure.key)}`,
        ]),
    "process.roles=broker,controller",
    "node.id=1",
    `controller.quorum.bootstrap.servers=127.0.0.1:${at.controllerPort}`,
    `listeners=${advertised},CONTROLLER://127.0.0.1:${at.controllerPort}`,
    `advertised.listeners=${advertised}`,
    "controller.listener.names=CONTROLLER",
    "inter.broker.listener.name=PLAINTEXT",
    "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL",
    `log.dirs=${join(at.folder, "data")}`,
    "offsets.topic.num.partitions=4",
    "offsets.topic.replication.factor=1",
    "transaction.state.log.num.partitions=1",
    "transaction.state.log.replication.factor=1",
    "transaction.state.log.min.isr=1",
    "share.coordinator.state.topic.replication.factor=1",
    "share.coordinator.state.topic.min.isr=1",
    "group.initial.rebalance.delay.ms=0",
    "group.min.session.timeout.ms=1000",
    "log.initial.task.delay.ms=1000",
    "log.retention.check.interval.ms=1000",
    "auto.create.topics.enable=false",
    "",
  ].join("\n");
}
