import { create, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { OrderSchema } from "../../gen/docket/order/v1/order_pb.js";
import { type Child, startChild } from "../support/child.ts";
import { drive } from "../support/load.ts";
import { chosen, describeMachine, keepResult, option, printRatios, printRounds } from "../support/measure.ts";
import { echoPath, smallOrder } from "./order-echo.ts";

/**
 * CPU per unary gRPC request: ours against bare grpc-js with protobufjs' codecs, in turns, medians, ratios.
 * `--rounds`, `--requests` and `--variants bare,wire` set how long; the raw rounds go to bench/results/grpc-unary.json.
 */
const variants = chosen("variants", ["bare", "wire", "full"] as const);
type Variant = (typeof variants)[number];

const rounds = option("rounds", 7);
const requests = option("requests", 10_000);
const concurrency = option("concurrency", 32);

interface Target {
  readonly child: Child<{ readonly port: number }>;
  readonly client: Client;
}

async function open(variant: Variant): Promise<Target> {
  const child: Target["child"] = await startChild(new URL("./grpc-unary-server.ts", import.meta.url), [variant]);
  return { child, client: new Client(`127.0.0.1:${child.ready.port}`, credentials.createInsecure()) };
}

async function cpuMicros({ child }: Target): Promise<number> {
  const usage = await child.ask<{ readonly cpuMicros: number }>("usage");
  return usage.cpuMicros;
}

const body = Buffer.from(toBinary(OrderSchema, create(OrderSchema, smallOrder)));
const metadata = new Metadata();
metadata.set("authorization", "Bearer bench");
const passBytes = (bytes: Buffer) => bytes;

function call({ client }: Target): Promise<void> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(echoPath, passBytes, passBytes, body, metadata, {}, (error, answer) => {
      if (error !== null) {
        reject(error);
      } else if (answer?.length !== body.length) {
        reject(new Error(`sent ${body.length} bytes, got ${answer?.length}`));
      } else {
        resolve();
      }
    });
  });
}

const run = (target: Target) => drive({ concurrency, count: requests }, () => call(target));

const targets = new Map<Variant, Target>();
for (const variant of variants) {
  targets.set(variant, await open(variant));
}
for (const target of targets.values()) {
  await run(target);
}
const micros: Record<string, number[]> = Object.fromEntries(variants.map((variant) => [variant, []]));
for (let round = 0; round < rounds; round++) {
  for (const [variant, target] of targets) {
    const before = await cpuMicros(target);
    await run(target);
    micros[variant]?.push(((await cpuMicros(target)) - before) / requests);
  }
}
for (const { child, client } of targets.values()) {
  client.close();
  await child[Symbol.asyncDispose]();
}

const machine = await describeMachine(["@grpc/grpc-js", "protobufjs", "@bufbuild/protobuf", "@connectrpc/connect"]);
console.log(`${body.length} bytes each way, ${requests} requests a round, ${concurrency} at a time`);
printRounds(micros, "µs CPU per request");
printRatios(
  micros,
  (["wire", "full"] as const).filter((variant) => targets.has(variant)).map((variant) => [variant, "bare"]),
);
await keepResult("grpc-unary", { machine, bytes: body.length, requests, concurrency, microsPerRequest: micros });
