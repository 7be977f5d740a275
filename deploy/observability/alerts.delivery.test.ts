import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { stringify } from "yaml";
import { until } from "../../services/runtime/testing/until.ts";

const run = promisify(execFile);
const here = import.meta.dirname;
const rulesFile = join(here, "prometheus/rules.yml");

function describeWith(tools: readonly string[], name: string, suite: () => void): void {
  const missing = tools.filter((tool) => !existsSync(join("/usr/bin", tool)));
  const skipped = missing.length === 0 ? "" : ` (skipped: there is no ${missing.join(", no ")})`;
  (missing.length === 0 ? describe : describe.skip)(`${name}${skipped}`, suite);
}

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "docket-alerts-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A series by minute; each value of a counter is the sum of the increases so far. */
type Series = readonly [name: string, values: readonly number[]];

const counting = (name: string, minutes: number, perMinute: (minute: number) => number): Series => {
  let sum = 0;
  return [name, Array.from({ length: minutes }, (_, minute) => (sum += perMinute(minute)))];
};
const gauging = (name: string, minutes: number, at: (minute: number) => number): Series => [
  name,
  Array.from({ length: minutes }, (_, minute) => at(minute)),
];

interface Happening {
  readonly minutes: number;
  /** Calls per minute. */
  readonly calls: (minute: number) => number;
  /** How many of them end with UNAVAILABLE. */
  readonly failed: (minute: number) => number;
  /** How many of them take more than a second. */
  readonly slow: (minute: number) => number;
  readonly outboxLagSeconds: (minute: number) => number;
  readonly loopDelaySeconds: (minute: number) => number;
}

function seriesOf({ minutes, calls, failed, slow, outboxLagSeconds, loopDelaySeconds }: Happening): Series[] {
  const process = 'job="docket",instance="docket-0"';
  const rpc = `${process},rpc_system_name="connectrpc",rpc_method="docket.order.v1.OrderService/CreateOrder"`;
  const duration = "rpc_server_call_duration_seconds";
  return [
    gauging(`up{${process}}`, minutes, () => 1),
    counting(`${duration}_count{${rpc},rpc_response_status_code="OK"}`, minutes, (at) => calls(at) - failed(at)),
    counting(`${duration}_count{${rpc},rpc_response_status_code="UNAVAILABLE"}`, minutes, failed),
    counting(`${duration}_bucket{${rpc},rpc_response_status_code="OK",le="1"}`, minutes, (at) => calls(at) - slow(at)),
    counting(`docket_outbox_delay_seconds_count{${process},service="order"}`, minutes, calls),
    counting(`docket_outbox_delay_seconds_bucket{${process},service="order",le="5"}`, minutes, (at) =>
      outboxLagSeconds(at) > 5 ? 0 : calls(at),
    ),
    gauging(`docket_outbox_lag_seconds{${process},service="order"}`, minutes, outboxLagSeconds),
    gauging(`nodejs_eventloop_delay_p99_seconds{${process}}`, minutes, loopDelaySeconds),
    counting(`docket_dead_letters_total{${process},consumer="order.payments"}`, minutes, () => 0),
  ];
}

/** Replays what happened and compares the results of queries. */
async function replay(happening: Happening, expected: readonly object[]): Promise<void> {
  const file = join(folder, "test.yml");
  const tests = {
    rule_files: [rulesFile],
    evaluation_interval: "1m",
    tests: [
      {
        interval: "1m",
        input_series: seriesOf(happening).map(([series, values]) => ({ series, values: values.join(" ") })),
        promql_expr_test: expected,
      },
    ],
  };
  await writeFile(file, stringify(tests, { lineWidth: 0 }));
  await run("promtool", ["test", "rules", file]).catch((error: { stdout?: string; stderr?: string }) => {
    throw new Error(`${error.stdout}\n${error.stderr}`);
  });
}

/** Periods in which some alert of the severity fired: the times at which somebody is called. */
const periods = (severity: string, minutes: number) =>
  `sum(changes((clamp_max(count(ALERTS{alertstate="firing",severity="${severity}"}), 1) or vector(0))[${minutes}m:1m])) / 2`;

const outage = { from: 180, to: 210 };
const inOutage = (minute: number) => minute >= outage.from && minute < outage.to;

/** Half an hour in which the database answers too late: calls fail, the rest are slow, events wait. */
const incident: Happening = {
  minutes: 900,
  calls: () => 600,
  failed: (at) => (inOutage(at) ? 180 : Number(at % 10 === 0)),
  slow: (at) => (inOutage(at) ? 400 : 1),
  outboxLagSeconds: (at) => (inOutage(at) ? 60 * (at - outage.from) : 0),
  loopDelaySeconds: () => 0.01,
};

/**
 * Fewer calls by night, single failures at any time, a deployment with a burst of them, an import that is slow, a broker
 * that restarts, an event loop that is busy for minutes.
 */
const ordinaryDay: Happening = {
  minutes: 1_440,
  calls: (at) => (at < 360 ? 6 : 600),
  failed: (at) => (at === 720 ? 25 : Number(at % 9 === 0 && (at > 360 || at % 90 === 0))),
  slow: (at) => (at >= 900 && at < 910 ? 60 : at < 360 ? 0 : 2),
  outboxLagSeconds: (at) => (at === 1_000 ? 8 : at === 1_001 ? 40 : 0),
  loopDelaySeconds: (at) => (at >= 800 && at < 806 ? 0.5 : 0.02),
};

describeWith(["promtool"], "the rules", () => {
  test("are valid", async () => {
    await run("promtool", ["check", "config", join(here, "prometheus/prometheus.yml")]);
    await run("promtool", ["check", "rules", "--lint-fatal", rulesFile]);
  });

  test("page once in an incident, within five minutes of its begin, and stop after it", async () => {
    const { minutes } = incident;
    const last = `${minutes - 1}m`;
    const one = [{ labels: "{}", value: 1 }];
    const paging = (slo: string) => `ALERTS{alertstate="firing",severity="page",slo="${slo}"}`;
    const availability = {
      labels:
        '{__name__="ALERTS",alertname="ErrorBudgetBurnsFast",alertstate="firing",severity="page",slo="availability"}',
      value: 1,
    };
    await replay(incident, [
      { expr: periods("page", minutes), eval_time: last, exp_samples: one },
      { expr: paging("availability"), eval_time: `${outage.from}m`, exp_samples: [] },
      { expr: paging("availability"), eval_time: `${outage.from + 5}m`, exp_samples: [availability] },
      { expr: 'ALERTS{alertstate="firing",severity="page"}', eval_time: `${outage.to + 45}m`, exp_samples: [] },
      // What explains it is there to be seen, and waits for the morning.
      {
        expr: 'count(ALERTS{alertstate="firing",alertname="OutboxLags",severity="ticket"})',
        eval_time: `${outage.to - 5}m`,
        exp_samples: one,
      },
    ]);
  }, 240_000);

  test("say nothing in a day of ordinary noise", async () => {
    const whole = `${ordinaryDay.minutes - 1}m`;
    await replay(ordinaryDay, [
      {
        expr: `count_over_time(ALERTS{alertstate="firing"}[${ordinaryDay.minutes}m])`,
        eval_time: whole,
        exp_samples: [],
      },
    ]);
  }, 240_000);
});

describeWith(["prometheus-alertmanager", "amtool"], "the routes", () => {
  let child: ChildProcess | undefined;
  afterEach(() => void child?.kill("SIGKILL"));

  interface Notification {
    readonly path: string;
    readonly status: "firing" | "resolved";
    readonly alerts: readonly { readonly labels: Readonly<Record<string, string>> }[];
  }

  /** Starts Alertmanager with the shipped routes, sixty times as fast, and receives its notifications. */
  async function start() {
    const received: Notification[] = [];
    const receiver = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const body = JSON.parse(Buffer.concat(chunks).toString()) as Omit<Notification, "path">;
        received.push({ ...body, path: request.url ?? "" });
        response.end();
      });
    });
    await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
    const { port: receiverPort } = receiver.address() as AddressInfo;
    const shipped = await readFile(join(here, "alertmanager/alertmanager.yml"), "utf8");
    const fast = shipped
      .replaceAll("http://127.0.0.1:9095", `http://127.0.0.1:${receiverPort}`)
      .replaceAll(/(group_\w+|repeat_\w+): (\d+)m/g, "$1: $2s");
    const config = join(folder, "alertmanager.yml");
    await writeFile(config, fast);
    const port = await freePort();
    const flags = ["--cluster.listen-address=", `--storage.path=${folder}/data`, `--config.file=${config}`];
    child = spawn("prometheus-alertmanager", [...flags, `--web.listen-address=127.0.0.1:${port}`], { stdio: "ignore" });
    const url = `http://127.0.0.1:${port}`;
    await until(async () => (await fetch(`${url}/-/ready`).catch(() => undefined))?.ok === true);
    const send = async (alerts: readonly Readonly<Record<string, string>>[], endsAt?: Date) => {
      const body = JSON.stringify(
        alerts.map((labels) => ({ labels, ...(endsAt && { endsAt: endsAt.toISOString() }) })),
      );
      const sent = await fetch(`${url}/api/v2/alerts`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      });
      expect(sent.status).toBe(200);
    };
    return { received, send, stop: () => receiver.close() };
  }

  const page = (slo: string) => ({ alertname: "ErrorBudgetBurnsFast", severity: "page", slo });
  const ticket = (alertname: string) => ({ alertname, severity: "ticket", service: "order" });

  test("are valid", async () => {
    await run("amtool", ["check-config", join(here, "alertmanager/alertmanager.yml")]);
  });

  test("notify once of an incident, whatever else it sets off, and once that it is over", async () => {
    const { received, send, stop } = await start();
    const alerts = [page("availability"), page("latency"), page("events")];
    const tickets = [ticket("OutboxLags"), ticket("EventLoopIsSlow"), ticket("ErrorBudgetBurns")];
    // Prometheus repeats what fires; what follows from the first alert fires later.
    for (let second = 0; second < 15; second += 1) {
      await send([...alerts.slice(0, 1 + Math.floor(second / 3)), ...(second > 0 ? tickets : [])]);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
    expect(received.map(({ path, status }) => `${path} ${status}`)).toEqual(["/page firing"]);
    expect(received[0]?.alerts.map(({ labels }) => labels["slo"])).toEqual(["availability"]);
    await send([...alerts, ...tickets], new Date());
    await until(() => received.length > 1, 20_000);
    expect(received.map(({ path, status }) => `${path} ${status}`)).toEqual(["/page firing", "/page resolved"]);
    stop();
  }, 90_000);

  test("make one ticket of an alert without a page", async () => {
    const { received, send, stop } = await start();
    for (let second = 0; second < 5; second += 1) {
      await send([ticket("OutboxLags")]);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
    expect(received.map(({ path, status }) => `${path} ${status}`)).toEqual(["/ticket firing"]);
    stop();
  }, 60_000);
});

async function freePort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
