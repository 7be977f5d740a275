import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { endWithParent } from "../../testing/end-with-parent.ts";
import { freePorts } from "../../testing/free-ports.ts";
import { findProgram } from "../../testing/mariadb.ts";
import { until } from "../../testing/until.ts";

/** Why no server can be started on this machine, or undefined if one can. */
export function whyNoRedis(): string | undefined {
  const isInstalled = findProgram("redis-server") !== undefined && findProgram("redis-cli") !== undefined;
  return isInstalled ? undefined : "Redis is not installed (Debian: apt-get install redis-server)";
}

/** A private server on the loopback. */
export interface RedisNode {
  readonly port: number;
  readonly url: string;
  /** Of the server while it runs. */
  readonly pid: number | undefined;
  /** Runs a command with `redis-cli` and returns its output. */
  cli(...words: string[]): Promise<string>;
  /** Kills the server like a crash. Its folder is kept. */
  kill(): Promise<void>;
  /** Starts it again on the same folder and port. */
  start(): Promise<void>;
  /** Stops it in its tracks, until `resume`. */
  pause(): void;
  resume(): void;
}

/** Private servers in a temporary folder. Disposing ends them and removes it. */
export interface RedisServers extends AsyncDisposable {
  readonly nodes: readonly RedisNode[];
}

/** Starts one server. */
export async function startRedis(): Promise<RedisServers & { readonly node: RedisNode }> {
  const { nodes, ...servers } = await startNodes(1, false);
  const [node] = nodes as readonly [RedisNode];
  return { nodes, node, ...servers };
}

/** Starts three masters, the first three nodes, with a replica each, as a cluster with a node timeout of 1.5 s. */
export async function startRedisCluster(): Promise<RedisServers> {
  const servers = await startNodes(6, true);
  const [first] = servers.nodes as readonly [RedisNode];
  const addresses = servers.nodes.map(({ port }) => `127.0.0.1:${port}`);
  await run("redis-cli", ["--cluster", "create", ...addresses, "--cluster-replicas", "1", "--cluster-yes"]);
  await until(async () => {
    const [info, nodes] = [await first.cli("cluster", "info"), await first.cli("cluster", "nodes")];
    return info.includes("cluster_state:ok") && (nodes.match(/slave/g)?.length ?? 0) === 3;
  });
  await until(async () =>
    (await Promise.all(servers.nodes.map((node) => node.cli("cluster", "info")))).every((info) =>
      info.includes("cluster_state:ok"),
    ),
  );
  return servers;
}

async function startNodes(count: number, cluster: boolean): Promise<RedisServers> {
  const folder = await mkdtemp(join(tmpdir(), "docket-redis-"));
  const ports = await freePorts(cluster ? count * 2 : count);
  const children = new Set<ChildProcess>();
  const nodes = await Promise.all(
    ports
      .slice(0, count)
      .map((port, index) => startNode({ folder, port, busPort: cluster ? ports[count + index] : undefined, children })),
  );
  return {
    nodes,
    async [Symbol.asyncDispose]() {
      await Promise.all([...children].map(end));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface NodeOptions {
  readonly folder: string;
  readonly port: number;
  readonly busPort: number | undefined;
  readonly children: Set<ChildProcess>;
}

async function startNode({ folder, port, busPort, children }: NodeOptions): Promise<RedisNode> {
  const data = join(folder, String(port));
  await mkdir(data);
  const own = ["--port", String(port), "--bind", "127.0.0.1", "--dir", data, "--save", "", "--appendonly", "yes"];
  const clustered =
    busPort === undefined
      ? []
      : [
          ...["--cluster-enabled", "yes", "--cluster-port", String(busPort), "--cluster-node-timeout", "1500"],
          ...["--cluster-config-file", "nodes.conf", "--cluster-replica-validity-factor", "0"],
        ];
  let child: ChildProcess | undefined;
  const cli = (...words: string[]) => run("redis-cli", ["-h", "127.0.0.1", "-p", String(port), ...words]);
  const node: RedisNode = {
    port,
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return child?.pid;
    },
    cli,
    async kill() {
      if (child !== undefined) {
        await end(child);
        children.delete(child);
      }
    },
    async start() {
      const log = openSync(join(data, "server.log"), "a");
      child = spawn(findProgram("redis-server") ?? "", [...own, ...clustered], { stdio: ["ignore", log, log] });
      child.unref();
      children.add(child);
      endWithParent(child, folder);
      await until(async () => (await cli("ping").catch(() => "")).includes("PONG"));
    },
    pause: () => child?.kill("SIGSTOP"),
    resume: () => child?.kill("SIGCONT"),
  };
  await node.start();
  return node;
}

async function run(program: string, words: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(findProgram(program) ?? program, words);
  return stdout;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    child.ref();
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }
}
