import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { startRedisCluster, whyNoRedis } from "../services/runtime/cache/testing/redis-servers.ts";
import { freePorts } from "../services/runtime/testing/free-ports.ts";
import { startKafka } from "../services/runtime/testing/kafka.ts";
import { startMariadb } from "../services/runtime/testing/mariadb.ts";
import { main, startServiceProcess } from "./distributed/service-process.ts";
import { fetchKafka } from "./kafka-jars.ts";

/**
 * Runs Docket as processes, several for each service, with MariaDB, Kafka and a Redis Cluster, all of it private to this
 * run: on the loopback and in temporary folders. Ctrl-C ends what was started and removes the folders.
 *
 *     node tools/run-distributed.ts [--copies N] [--port N]
 *
 * `--copies` is the number of processes for each service (2 unless given). The gateway and the sandbox, which stands for
 * an external system, have one each. `--port` is the gateway's port (8080). Variables `DOCKET_…` reach every process.
 */

/** In the order of their start: the gateway serves once the others do. */
const targets = ["order", "payment", "logistics", "inventory", "operations", "sandbox", "gateway"];

const { values } = parseArgs({
  options: { copies: { type: "string", default: "2" }, port: { type: "string", default: "8080" } },
});
const copies = Number(values.copies);
if (!Number.isInteger(copies) || copies < 1 || copies > 9) {
  console.error("--copies must be a number from 1 to 9");
  process.exit(2);
}

const stopped = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    if (stopped.signal.aborted) {
      process.exit(1);
    }
    console.log("\nEnding; again to end at once");
    stopped.abort(new Error("ended while it was starting"));
  });
}

/** Prints how long a step took. Rejects if the run was ended meanwhile. */
async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
  const begin = performance.now();
  process.stdout.write(`${what} … `);
  const result = await work();
  console.log(`${((performance.now() - begin) / 1000).toFixed(1)} s`);
  return result;
}

async function run(stack: AsyncDisposableStack): Promise<void> {
  const { signal } = stopped;
  const folder = await mkdtemp(join(tmpdir(), "docket-distributed-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  await fetchKafka();
  const mariadb = await step("MariaDB", async () => {
    const server = await startMariadb({ durable: true });
    if (server === undefined) {
      throw new Error("MariaDB is not installed: `make setup` installs it where that is permitted");
    }
    return stack.use(server);
  });
  signal.throwIfAborted();
  const redis = await step("Redis", async () => {
    const reason = whyNoRedis();
    if (reason !== undefined) {
      throw new Error(reason);
    }
    return stack.use(await startRedisCluster());
  });
  const redisUrl = `redis://${redis.nodes.map(({ port }) => `127.0.0.1:${port}`).join(",")}`;
  signal.throwIfAborted();
  const kafka = await step("Kafka", async () => stack.use(await startKafka()));
  signal.throwIfAborted();

  const names = targets.flatMap((target) => {
    const count = target === "gateway" || target === "sandbox" ? 1 : copies;
    return Array.from({ length: count }, (_, nth) => ({ target, name: count === 1 ? target : `${target}-${nth + 1}` }));
  });
  const ports = await freePorts(2 * names.length);
  const processes = names.map((each, nth) => ({ ...each, grpc: ports[2 * nth], ops: ports[2 * nth + 1] }));
  const url = `http://127.0.0.1:${values.port}`;
  const adminKey = `dk_${randomBytes(32).toString("base64url")}`;
  const environment = {
    DOCKET_LOG_LEVEL: "warn",
    ...process.env,
    DOCKET_DATABASE_URL: `${mariadb.url}docket`,
    DOCKET_REDIS_URL: redisUrl,
    DOCKET_REDIS_CLUSTER: "true",
    DOCKET_KAFKA_BROKERS: kafka.address,
    DOCKET_KAFKA_REPLICATION: "1",
    DOCKET_HTTP_PORT: values.port,
    DOCKET_PUBLIC_URL: url,
    DOCKET_SERVICE_ADDRESSES: processes.map(({ target, grpc }) => `${target}=127.0.0.1:${grpc}`).join(","),
    DOCKET_SERVICE_SECRET: randomBytes(32).toString("base64"),
    DOCKET_SANDBOX_SECRET: randomBytes(32).toString("base64"),
    DOCKET_ADMIN_KEY: adminKey,
    DOCKET_TRUSTED_PROXIES: "127.0.0.1",
  };
  await step("Topics", () => promisify(execFile)(process.execPath, [main, "topics"], { env: environment }));

  const start = async ({ target, name, grpc, ops }: (typeof processes)[number]) => {
    const own = { DOCKET_SERVICES: target, DOCKET_GRPC_PORT: `${grpc}`, DOCKET_OPS_PORT: `${ops}` };
    const onEnd = (reason: string) => console.log(reason);
    return stack.use(await startServiceProcess({ name, folder, environment: { ...environment, ...own }, onEnd }));
  };
  const pids = new Map<string, number>();
  for (const target of targets) {
    signal.throwIfAborted();
    const group = processes.filter((each) => each.target === target);
    await step(group.map(({ name }) => name).join(", "), async () => {
      const begun = await Promise.allSettled(group.map(start));
      for (const outcome of begun) {
        if (outcome.status === "rejected") {
          throw outcome.reason;
        }
        pids.set(outcome.value.name, outcome.value.pid);
      }
    });
  }

  const row = (name: string, ...cells: readonly unknown[]) => `  ${name.padEnd(14)} ${cells.join("  ")}`;
  console.log(
    [
      "",
      "Docket is ready.",
      "",
      row("gateway", url, `API documentation ${url}/docs`),
      row("admin key", adminKey),
      row("MariaDB", `${mariadb.url}docket_order, …`, `process ${mariadb.pid}`),
      row("Kafka", kafka.address, `process ${kafka.pid}`),
      ...redis.nodes.map(({ port, pid }) => row("Redis", `127.0.0.1:${port}`, `process ${pid}`)),
      ...processes.map(({ name, grpc, ops }) =>
        row(name, `gRPC 127.0.0.1:${grpc}`, `probes http://127.0.0.1:${ops}/ready`, `process ${pids.get(name)}`),
      ),
      row("logs", folder),
      "",
      "Try it:",
      "",
      `  DOCKET_URL=${url} DOCKET_ADMIN_KEY=${adminKey} make tea-shop`,
      "",
      "Ctrl-C ends all of it.",
    ].join("\n"),
  );
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

const stack = new AsyncDisposableStack();
try {
  await run(stack);
} catch (error) {
  console.error(`\n${(error as Error).message}`);
  process.exitCode = 1;
} finally {
  await stack.disposeAsync();
}
