import { fork } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { median, type Rounds, ratio } from "../support/measure.ts";

/**
 * Every figure of the gateway in one run: the benchmarks `rpc-cpu` (without Docket's interceptors), `grpc-unary`,
 * `gateway-proxy`, `gateway-codecs` and `gateway-stream` after one another, each printing its own, and a table of goals
 * at the end. Flags go to each of them: `--rounds`, `--requests`.
 */
const flags = process.argv.slice(2);

async function run(name: string, ...more: readonly string[]): Promise<void> {
  console.log(`\n${name}`);
  const child = fork(new URL(`${name}.ts`, import.meta.url), [...more, ...flags], {
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error(`${name} ended with ${code}`);
}

async function resultOf(name: string, key: string): Promise<Rounds> {
  const text = await readFile(new URL(`../results/${name}.json`, import.meta.url), "utf8");
  return (JSON.parse(text) as Record<string, Rounds>)[key] ?? {};
}

await run("rpc-cpu", "--variants", "bare,fastify,connect-node,wire", "--wires", "rest,connect,connect-json,grpc-web");
await run("grpc-unary", "--variants", "bare,wire");
await run("gateway-proxy");
await run("gateway-codecs");
await run("gateway-stream");

const rpc = await resultOf("rpc-cpu", "microsPerRequest");
const grpc = await resultOf("grpc-unary", "microsPerRequest");
const proxy = await resultOf("gateway-proxy", "microsPerRequest");
const codecs = await resultOf("gateway-codecs", "microsPerOperation");
const grown = await resultOf("gateway-stream", "mebibytesGrown");
const buffered = await resultOf("gateway-stream", "mebibytesBuffered");

interface Row {
  readonly what: string;
  readonly measured: number;
  readonly atMost?: number;
  readonly atLeast?: number;
}

const both = (what: string, of: string, to: string, atMost: number): Row[] =>
  ["get", "create"].map((method) => ({
    what: `${method}: ${what}`,
    measured: ratio(rpc, `${method} ${of}`, `${method} ${to}`),
    atMost,
  }));
const proxied = (method: string): Row => ({
  what: `${method}: REST in front of a gRPC server / grpc-gateway`,
  measured: ratio(proxy, `${method} ours`, `${method} grpc-gateway`),
  atMost: 1,
});
const worst = (rounds: Rounds): number => Math.max(...Object.values(rounds).flat());

const rows: readonly Row[] = [
  ...both("REST / node:http by hand", "rest wire", "rest bare", 1.25),
  ...both("REST / Fastify", "rest wire", "rest fastify", 1),
  ...both("REST / Connect JSON of connect-node", "rest wire", "connect-json connect-node", 0.4),
  ...both("Connect / connect-node", "connect wire", "connect connect-node", 0.4),
  ...both("gRPC-Web / connect-node", "grpc-web wire", "grpc-web connect-node", 0.4),
  { what: "gRPC / grpc-js with protobufjs", measured: ratio(grpc, "wire", "bare"), atMost: 1.1 },
  proxied("get"),
  proxied("create"),
  {
    what: "a match among 1,000 routes, µs",
    measured: median(codecs["match among 1,000 routes"] ?? []),
    atMost: 2,
  },
  { what: "fromJsonString / reading JSON", measured: ratio(codecs, "fromJsonString", "read JSON"), atLeast: 2 },
  { what: "fromBinary / reading binary", measured: ratio(codecs, "fromBinary", "read binary"), atLeast: 2 },
  { what: "toBinary / writing binary", measured: ratio(codecs, "toBinary", "write binary"), atLeast: 2 },
  { what: "MiB that memory grows by while 1 GiB goes through, at most", measured: worst(grown), atMost: 64 },
  { what: "MiB kept for a stalled reader, at most", measured: worst(buffered), atMost: 1 },
];

console.log();
for (const { what, measured, atMost, atLeast } of rows) {
  const met = measured <= (atMost ?? Number.POSITIVE_INFINITY) && measured >= (atLeast ?? 0);
  const goal = atMost === undefined ? `≥ ${atLeast}` : `≤ ${atMost}`;
  const verdict = Number.isNaN(measured) ? "not measured" : met ? "met" : "missed";
  console.log(`${what.padEnd(60)} ${measured.toFixed(2).padStart(7)}  ${goal.padEnd(7)} ${verdict}`);
}
