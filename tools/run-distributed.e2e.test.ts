import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { whyNoRedis } from "../services/runtime/cache/testing/redis-servers.ts";
import { freePorts } from "../services/runtime/testing/free-ports.ts";
import { whyNoKafka } from "../services/runtime/testing/kafka.ts";
import { findProgram } from "../services/runtime/testing/mariadb.ts";
import { until } from "../services/runtime/testing/until.ts";
import { childEnvironment } from "../services/test/support/child-environment.ts";

const reason =
  whyNoKafka() ?? whyNoRedis() ?? (findProgram("mariadbd") === undefined ? "there is no MariaDB" : undefined);

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

(reason === undefined ? test : test.skip)(
  `runs a process for each service with Kafka, Redis and MariaDB, and Ctrl-C ends all of them${reason === undefined ? "" : ` (skipped: ${reason})`}`,
  async () => {
    const [port = 0] = await freePorts(1);
    const args = [join(import.meta.dirname, "run-distributed.ts"), "--copies", "1", "--port", `${port}`];
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ...args], {
      env: childEnvironment,
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    const exited = once(child, "exit");
    try {
      await until(() => said.includes("Ctrl-C ends all of it.") || child.exitCode !== null, 240_000);
      const pids = [...said.matchAll(/process (\d+)/g)].map(([, pid]) => Number(pid));
      // Five services, the sandbox and the gateway, MariaDB, Kafka and six nodes of Redis.
      expect(pids.length).toBe(15);
      const alive = () => pids.filter(isAlive);
      expect(alive()).toEqual(pids);
      const [, key] = /admin key\s+(\S+)/.exec(said) ?? [];
      const orders = await fetch(`http://127.0.0.1:${port}/v1/orders`, { headers: { authorization: `Bearer ${key}` } });
      expect(orders.status).toBe(200);
      const [, folder = ""] = /logs\s+(\S+)/.exec(said) ?? [];
      expect(existsSync(folder)).toBe(true);

      child.kill("SIGINT");
      expect(await exited).toEqual([0, null]);
      expect(alive()).toEqual([]);
      expect(existsSync(folder)).toBe(false);
    } finally {
      child.kill("SIGKILL");
    }
  },
  400_000,
);
