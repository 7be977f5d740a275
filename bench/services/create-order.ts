import { create, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { CreateOrderRequestSchema, OrderService } from "../../gen/docket/order/v1/order_service_pb.js";
import { createHttpClient } from "../support/http-client.ts";
import { drive } from "../support/load.ts";
import {
  chosen,
  describeMachine,
  keepResult,
  option,
  percentile,
  printRatios,
  printRounds,
} from "../support/measure.ts";
import { type BenchDocket, type Storage, startDocket, storages } from "./docket.ts";
import { anOrder, openShop } from "./shop.ts";

/**
 * Orders created per second, and latencies, over REST and gRPC at several concurrencies on both storages. Each order's
 * saga runs meanwhile, up to a payment that never arrives; a round begins once all previous sagas are waiting.
 * `--orders` per round, `--rounds`; `--storages`, `--wires` select some only.
 */
const rounds = option("rounds", 5);
const orders = option("orders", 160);
const concurrencies = [1, 16, 64];
const wires = ["rest", "grpc"] as const;
type Wire = (typeof wires)[number];

interface Target extends AsyncDisposable {
  readonly docket: BenchDocket;
  readonly create: Readonly<Record<Wire, (nth: number) => Promise<unknown>>>;
}

async function open(storage: Storage): Promise<Target> {
  const docket = await startDocket(storage);
  const http = createHttpClient(docket.httpUrl, docket.adminKey);
  await openShop(http);
  const grpc = new Client(docket.grpcAddress, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${docket.adminKey}`);
  const path = `/${OrderService.typeName}/${OrderService.method.createOrder.name}`;
  const passBytes = (bytes: Buffer) => bytes;
  return {
    docket,
    create: {
      rest: (nth) => http("POST", "/v1/orders", JSON.stringify(anOrder(nth))),
      grpc: (nth) =>
        new Promise<void>((resolve, reject) => {
          const request = create(CreateOrderRequestSchema, { order: anOrder(nth) });
          const bytes = Buffer.from(toBinary(CreateOrderRequestSchema, request));
          grpc.makeUnaryRequest(path, passBytes, passBytes, bytes, metadata, {}, (error) =>
            error === null ? resolve() : reject(error),
          );
        }),
    },
    async [Symbol.asyncDispose]() {
      grpc.close();
      http[Symbol.dispose]();
      await docket[Symbol.asyncDispose]();
    },
  };
}

const machine = await describeMachine(["kysely", "mysql2", "@grpc/grpc-js"]);
const names = chosen("storages", storages);
const targets = await Promise.all(names.map(async (name) => [name, await open(name)] as const));
const cases = targets.flatMap(([storage, target]) =>
  chosen("wires", wires).flatMap((wire) =>
    concurrencies.map((concurrency) => ({ name: `${storage} ${wire} ${concurrency}`, target, wire, concurrency })),
  ),
);
const empty = (): Record<string, number[]> => Object.fromEntries(cases.map(({ name }) => [name, []]));
const measured = { ordersPerSecond: empty(), p50Ms: empty(), p99Ms: empty() };
let nth = 0;
for (let round = -1; round < rounds; round++) {
  for (const { name, target, wire, concurrency } of cases) {
    // A concurrency of one is slow; fewer calls are equally significant.
    const count = concurrency === 1 ? orders / 4 : orders;
    const { seconds, latenciesMs } = await drive({ concurrency, count, seconds: 2 }, () => target.create[wire](nth++));
    await target.docket.untilQuiet();
    // The first round is warm-up.
    if (round >= 0) {
      measured.ordersPerSecond[name]?.push(latenciesMs.length / seconds);
      measured.p50Ms[name]?.push(percentile(latenciesMs, 50));
      measured.p99Ms[name]?.push(percentile(latenciesMs, 99));
    }
  }
}
console.log(`${orders} orders (a quarter of it one at a time) or 2 s a round`);
for (const [name, { docket }] of targets) {
  console.log(`${name}: ${docket.database}`);
}
printRounds(measured.ordersPerSecond, "orders created/s");
printRounds(measured.p50Ms, "ms p50");
printRounds(measured.p99Ms, "ms p99");
const pairs = chosen("wires", wires).map((wire) => [`sqlite ${wire} 16`, `mariadb ${wire} 16`] as const);
printRatios(measured.ordersPerSecond, names.length > 1 ? pairs : []);
const databases = Object.fromEntries(targets.map(([name, { docket }]) => [name, docket.database]));
await keepResult("create-order", { machine, databases, orders, ...measured });
for (const [, target] of targets) {
  await target[Symbol.asyncDispose]();
}
