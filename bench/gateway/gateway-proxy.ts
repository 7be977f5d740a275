import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { startChild } from "../support/child.ts";
import { drive } from "../support/load.ts";
import { describeMachine, keepResult, option, printRatios, printRounds } from "../support/measure.ts";
import { prepareRequest } from "../support/prepared-request.ts";
import { cpuMicrosOf, startProcess } from "./gateway-process.ts";

/**
 * CPU per REST request of the gateway as a program against grpc-gateway (Go, `GOMAXPROCS=1`), both in front of the same
 * gRPC server; `grpc-gateway/` holds the API, the Go program and how it is built. `get` answers an order, `create` sends one too.
 * Where there is no Go only ours is measured. `--rounds`, `--requests`, `--concurrency`. Reads /proc, so Linux only.
 */
const rounds = option("rounds", 5);
const requests = option("requests", 5_000);
const concurrency = option("concurrency", 32);
const root = fileURLToPath(new URL("../..", import.meta.url));
const cache = `${root}.cache/grpc-gateway`;

const order = {
  name: "orders/01jd8k3v9q2x7m4n5p6r8s0t1w",
  externalId: "10248",
  customer: {
    id: "VINET",
    displayName: "Vins et alcools Chevalier",
    email: "paul@vinet.example",
    phone: "26.47.15.10",
  },
  shippingAddress: {
    recipient: "Paul Henriot",
    addressLines: ["59 rue de l'Abbaye"],
    locality: "Reims",
    postalCode: "51100",
    regionCode: "FR",
  },
  lineItems: [
    {
      sku: "11",
      quantity: 12,
      title: "Queso Cabrales",
      unitPrice: { currencyCode: "USD", units: "14", nanos: 0 },
    },
    {
      sku: "42",
      quantity: 10,
      title: "Singaporean Hokkien Fried Mee",
      unitPrice: { currencyCode: "USD", units: "9", nanos: 800_000_000 },
    },
  ],
  shippingFee: { currencyCode: "USD", units: "32", nanos: 380_000_000 },
  total: { currencyCode: "USD", units: "298", nanos: 380_000_000 },
  labels: { order_date: "1996-07-04", ship_via: "3" },
  createTime: "2026-11-30T00:53:20.123Z",
  updateTime: "2026-11-30T00:55:00.456Z",
  state: "STATE_ACTIVE",
  etag: '"7"',
};

execFileSync(`${root}bench/grpc-gateway/build.sh`, { stdio: ["ignore", "ignore", "inherit"] });
await using backend = await startChild<{ port: number }>(new URL("./gateway-proxy-backend.ts", import.meta.url), []);
const upstream = `127.0.0.1:${backend.ready.port}`;
const profile = process.env["BENCH_CPU_PROF"];
const contenders = [
  await startProcess("ours", process.execPath, [
    "--disable-warning=ExperimentalWarning",
    ...(profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`]),
    `${root}gateway/main.ts`,
    ...["--descriptor-set", `${cache}/api.binpb`, "--upstream", upstream, "--host", "127.0.0.1", "--port", "0"],
    "--no-watch",
  ]),
];
if (existsSync(`${cache}/gateway`)) {
  contenders.push(await startProcess("grpc-gateway", `${cache}/gateway`, [upstream], { GOMAXPROCS: "1" }));
} else {
  console.log("grpc-gateway: left out, it needs Go to be built");
}

const json = { "content-type": "application/json" };
const calls = contenders.flatMap((contender) => [
  {
    name: `create ${contender.name}`,
    contender,
    call: prepareRequest(contender.port, "POST", "/v1/orders", json, JSON.stringify(order)),
  },
  { name: `get ${contender.name}`, contender, call: prepareRequest(contender.port, "GET", `/v1/${order.name}`) },
]);
for (const { name, call } of calls) {
  const answer = await call();
  const body: unknown = JSON.parse(answer.slice(answer.indexOf("{"), answer.lastIndexOf("}") + 1));
  if (!isDeepStrictEqual(body, order)) throw new Error(`${name} answers ${JSON.stringify(body)}`);
}

const machine = await describeMachine(["@grpc/grpc-js", "@bufbuild/protobuf", "@connectrpc/connect"]);
const go = contenders.length > 1 ? readFileSync(`${cache}/versions`, "utf8").trim() : undefined;
if (go !== undefined) console.log(go);
const micros: Record<string, number[]> = Object.fromEntries(calls.map(({ name }) => [name, []]));
// The first two rounds are warm-up.
for (let round = -2; round < rounds; round++) {
  for (const { name, contender, call } of calls) {
    const before = cpuMicrosOf(contender);
    const { latenciesMs } = await drive({ concurrency, count: requests, seconds: 3 }, call);
    if (round >= 0) micros[name]?.push((cpuMicrosOf(contender) - before) / latenciesMs.length);
  }
}
console.log(
  `${JSON.stringify(order).length} bytes of JSON, ${requests} requests or 3 s a round, ${concurrency} at a time`,
);
printRounds(micros, "µs CPU per request");
if (contenders.length > 1) {
  printRatios(micros, [
    ["get ours", "get grpc-gateway"],
    ["create ours", "create grpc-gateway"],
  ]);
}
await keepResult("gateway-proxy", { machine, go, requests, concurrency, microsPerRequest: micros });
for (const { call } of calls) call[Symbol.dispose]();
for (const { process: child } of contenders) {
  child.kill("SIGTERM");
  await once(child, "exit");
}
process.exit();
