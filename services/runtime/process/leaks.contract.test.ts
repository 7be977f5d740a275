import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { until } from "../testing/until.ts";

const program = fileURLToPath(new URL("./testing/leaking-process.ts", import.meta.url));

interface Probe {
  readonly status: string;
  readonly checks: { readonly leaks?: { readonly status: string; readonly error?: string } };
}

async function leaking(kind: string) {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program, kind], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  const url = said.toString().trim();
  return {
    probe: async () => (await (await fetch(`${url}/probe/leaks`)).json()) as Probe,
    [Symbol.dispose]: () => void child.kill("SIGKILL"),
  };
}

test.each([
  [
    "session",
    /http2_sessions rose from \d+ to \d+: (client to|server for) 127\.0\.0\.1 ×\d+.*created at \S+leaking-process\.ts:\d+/,
  ],
  ["timer", /timers rose from \d+ to \d+: \d+ created at \S*leaking-process\.ts:\d+/],
  [
    "listener",
    /crowded_emitters rose from 0 to 1: 11 listeners of changed on OrderBus, the last at \S*leaking-process\.ts:\d+/,
  ],
  ["promise", /pending_promises rose from \d+ to \d+: forgotten calls ×\d+ \(\S*leaking-process\.ts:\d+\)/],
])(
  "a %s leak is named with its count and where it is created",
  async (kind, named) => {
    using process = await leaking(kind);
    let last = "";
    await until(async () => {
      const { checks } = await process.probe();
      last = checks.leaks?.error ?? "";
      return named.test(last);
    }, 20_000).catch(() => expect(last).toMatch(named));
    expect((await process.probe()).checks.leaks?.status).toBe("warn");
  },
  30_000,
);

test("a process without a leak is not suspected", async () => {
  using process = await leaking("nothing");
  await until(async () => (await process.probe()).checks.leaks?.status === "pass");
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  expect(await process.probe()).toMatchObject({ status: "ok", checks: { leaks: { status: "pass" } } });
}, 30_000);
