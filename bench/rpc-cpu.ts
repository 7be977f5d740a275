import { create, type DescMessage, type MessageInitShape, toBinary, toJsonString } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { OrderSchema } from "../gen/docket/order/v1/order_pb.js";
import {
  CreateOrderRequestSchema,
  GetOrderRequestSchema,
  OrderService,
} from "../gen/docket/order/v1/order_service_pb.js";
import { type Child, startChild } from "./child.ts";
import { createHttpClient } from "./http-client.ts";
import { drive } from "./load.ts";
import { describeMachine, keepResult, option, printRatios, printRounds, type Rounds } from "./measure.ts";
import { smallOrder } from "./order-echo.ts";

/**
 * CPU of the server's process per unary request on every wire, with and without Docket's interceptors, against a
 * hand-written node:http handler and connect-node; see `rpc-cpu-server.ts`. Bare grpc-js stands in `grpc-unary.ts`.
 * `get` answers an order, `create` also reads one. `--rounds`, `--requests`, `--concurrency`.
 */
const rounds = option("rounds", 5);
const requests = option("requests", 2_000);
const concurrency = option("concurrency", 32);

const methods = ["get", "create"] as const;
type Method = (typeof methods)[number];
const variants = ["bare", "connect-node", "wire", "full"] as const;
type Variant = (typeof variants)[number];
type Ports = { readonly httpPort: number; readonly grpcPort: number };

const order = create(OrderSchema, smallOrder);
const requestOf = {
  get: bytesOf(GetOrderRequestSchema, { name: order.name }),
  create: bytesOf(CreateOrderRequestSchema, { order: smallOrder }),
};

function bytesOf<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): Buffer {
  return Buffer.from(toBinary(schema, create(schema, init)));
}

type Calls = Readonly<Record<Method, () => Promise<unknown>>>;
const paths = {
  get: `/${OrderService.typeName}/${OrderService.method.getOrder.name}`,
  create: `/${OrderService.typeName}/${OrderService.method.createOrder.name}`,
};

function restCalls({ httpPort }: Ports): Calls {
  const http = createHttpClient(`http://127.0.0.1:${httpPort}`, "bench");
  const body = toJsonString(OrderSchema, order);
  return { get: () => http("GET", `/v1/${order.name}`), create: () => http("POST", "/v1/orders", body) };
}

function rpcCalls({ httpPort }: Ports, wire: "connect" | "grpc-web"): Calls {
  const http = createHttpClient(`http://127.0.0.1:${httpPort}`, "bench");
  const headers =
    wire === "connect"
      ? { "content-type": "application/proto", "connect-protocol-version": "1" }
      : { "content-type": "application/grpc-web+proto", "x-grpc-web": "1" };
  const call = (method: Method) => {
    const body = wire === "connect" ? requestOf[method] : framed(requestOf[method]);
    return () => http("POST", paths[method], body, { ...headers, "content-length": `${body.length}` });
  };
  return { get: call("get"), create: call("create") };
}

function framed(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function grpcCalls({ grpcPort }: Ports): Calls {
  const client = new Client(`127.0.0.1:${grpcPort}`, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set("authorization", "Bearer bench");
  const passBytes = (bytes: Buffer) => bytes;
  const call = (method: Method) => () =>
    new Promise<void>((resolve, reject) => {
      client.makeUnaryRequest(paths[method], passBytes, passBytes, requestOf[method], metadata, {}, (error) =>
        error === null ? resolve() : reject(error),
      );
    });
  return { get: call("get"), create: call("create") };
}

const machine = await describeMachine([
  "@connectrpc/connect",
  "@connectrpc/connect-node",
  "@bufbuild/protobuf",
  "@grpc/grpc-js",
]);
const servers = new Map<Variant, Child<Ports>>();
for (const variant of variants) {
  servers.set(variant, await startChild<Ports>("rpc-cpu-server.ts", [variant]));
}
const contenders = [...servers].flatMap(([variant, server]) => {
  const { ready } = server;
  const http = [
    { wire: "connect", calls: rpcCalls(ready, "connect") },
    { wire: "grpc-web", calls: rpcCalls(ready, "grpc-web") },
  ];
  const rest = { wire: "rest", calls: restCalls(ready) };
  const of = {
    bare: [rest],
    "connect-node": http,
    wire: [rest, ...http, { wire: "grpc", calls: grpcCalls(ready) }],
    full: [rest, ...http, { wire: "grpc", calls: grpcCalls(ready) }],
  };
  return of[variant].flatMap(({ wire, calls }) =>
    methods.map((method) => ({ name: `${method} ${wire} ${variant}`, server, call: calls[method] })),
  );
});

const micros: Record<string, number[]> = Object.fromEntries(contenders.map(({ name }) => [name, []]));
for (let round = -1; round < rounds; round++) {
  for (const { name, server, call } of contenders) {
    const before = await server.ask<{ cpuMicros: number }>("usage");
    const { latenciesMs } = await drive({ concurrency, count: requests, seconds: 1 }, call);
    const after = await server.ask<{ cpuMicros: number }>("usage");
    if (round >= 0) {
      micros[name]?.push((after.cpuMicros - before.cpuMicros) / latenciesMs.length);
    }
  }
}
console.log(
  `${requestOf.create.length} bytes of order, ${requests} requests or a second a round, ${concurrency} at a time`,
);
printRounds(micros as Rounds, "µs CPU per request");
printRatios(
  micros,
  methods.flatMap((method) => [
    ...["wire", "full"].map((ours) => [`${method} rest ${ours}`, `${method} rest bare`] as const),
    ...["connect", "grpc-web"].flatMap((wire) =>
      ["wire", "full"].map((ours) => [`${method} ${wire} ${ours}`, `${method} ${wire} connect-node`] as const),
    ),
    [`${method} rest full`, `${method} connect connect-node`] as const,
  ]),
);
await keepResult("rpc-cpu", { machine, requests, concurrency, microsPerRequest: micros });
for (const server of servers.values()) {
  await server[Symbol.asyncDispose]();
}
process.exit();
