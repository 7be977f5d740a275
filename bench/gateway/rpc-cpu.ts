import {
  create,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { startOtlpReceiver } from "../../gateway/test/support/otlp-receiver.ts";
import { OrderSchema } from "../../gen/docket/order/v1/order_pb.js";
import {
  CreateOrderRequestSchema,
  GetOrderRequestSchema,
  OrderService,
} from "../../gen/docket/order/v1/order_service_pb.js";
import { type Child, startChild } from "../support/child.ts";
import { drive } from "../support/load.ts";
import {
  chosen,
  describeMachine,
  keepResult,
  option,
  printRatios,
  printRounds,
  type Rounds,
} from "../support/measure.ts";
import { prepareRequest } from "../support/prepared-request.ts";
import { smallOrder } from "./order-echo.ts";

/**
 * CPU of the server's process per unary request on every wire, without and with Docket's interceptors, and with a tenth of
 * the requests traced, against a
 * hand-written node:http handler, Fastify and connect-node; see `rpc-cpu-server.ts`. Bare grpc-js stands in
 * `grpc-unary.ts`. `get` answers an order, `create` also reads one.
 * `--rounds`, `--requests`, `--concurrency`, `--variants bare,wire`, `--wires rest,connect`, `--methods get`.
 */
const rounds = option("rounds", 5);
const requests = option("requests", 4_000);
const concurrency = option("concurrency", 32);

const methods = chosen("methods", ["get", "create"] as const);
type Method = (typeof methods)[number];
const variants = chosen("variants", [
  "bare",
  "fastify",
  "connect-node",
  "wire",
  "full",
  "unmeasured",
  "traced",
] as const);
type Variant = (typeof variants)[number];
const wires = ["rest", "connect", "connect-json", "grpc-web", "grpc"] as const;
type Wire = (typeof wires)[number];
const chosenWires = chosen("wires", wires);
type Ports = { readonly httpPort: number; readonly grpcPort: number };

const wiresOf: Readonly<Record<Variant, readonly Wire[]>> = {
  bare: ["rest"],
  fastify: ["rest"],
  "connect-node": ["connect", "connect-json", "grpc-web"],
  wire: wires,
  full: wires,
  unmeasured: wires,
  traced: wires,
};

const order = create(OrderSchema, smallOrder);
const requestOf = {
  get: encoded(GetOrderRequestSchema, { name: order.name }),
  create: encoded(CreateOrderRequestSchema, { order: smallOrder }),
};

function encoded<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>) {
  const message: MessageShape<Desc> = create(schema, init);
  return { binary: Buffer.from(toBinary(schema, message)), json: toJsonString(schema, message) };
}

type Calls = Readonly<Record<Method, () => Promise<unknown>>>;
const paths = {
  get: `/${OrderService.typeName}/${OrderService.method.getOrder.name}`,
  create: `/${OrderService.typeName}/${OrderService.method.createOrder.name}`,
};
const authorization = { authorization: "Bearer bench" };

function restCalls({ httpPort }: Ports): Calls {
  const json = { ...authorization, "content-type": "application/json" };
  return {
    get: prepareRequest(httpPort, "GET", `/v1/${order.name}`, authorization),
    // With defaults, as in responses: Fastify echoes its input.
    create: prepareRequest(
      httpPort,
      "POST",
      "/v1/orders",
      json,
      toJsonString(OrderSchema, order, { alwaysEmitImplicit: true }),
    ),
  };
}

function rpcCalls({ httpPort }: Ports, wire: "connect" | "connect-json" | "grpc-web"): Calls {
  const headersOf = {
    connect: { "content-type": "application/proto", "connect-protocol-version": "1" },
    "connect-json": { "content-type": "application/json", "connect-protocol-version": "1" },
    "grpc-web": { "content-type": "application/grpc-web+proto", "x-grpc-web": "1" },
  };
  const headers = { ...authorization, ...headersOf[wire] };
  const call = (method: Method) => {
    const { binary, json } = requestOf[method];
    const body = { connect: binary, "connect-json": json, "grpc-web": framed(binary) }[wire];
    return prepareRequest(httpPort, "POST", paths[method], headers, body);
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
      client.makeUnaryRequest(paths[method], passBytes, passBytes, requestOf[method].binary, metadata, {}, (error) =>
        error === null ? resolve() : reject(error),
      );
    });
  return { get: call("get"), create: call("create") };
}

function callsOf(ports: Ports, wire: Wire): Calls {
  if (wire === "rest") return restCalls(ports);
  return wire === "grpc" ? grpcCalls(ports) : rpcCalls(ports, wire);
}

/** The JSON body of a REST response. */
function restBody(answer: unknown): string {
  const text = String(answer);
  return JSON.stringify(JSON.parse(text.slice(text.indexOf("\r\n\r\n") + 4)));
}

const machine = await describeMachine([
  "@connectrpc/connect",
  "@connectrpc/connect-node",
  "@bufbuild/protobuf",
  "@grpc/grpc-js",
  "fastify",
]);
const receiver = await startOtlpReceiver();
const tracing = {
  OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
  OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
  OTEL_TRACES_SAMPLER_ARG: "0.1",
};
const servers = new Map<Variant, Child<Ports>>();
for (const variant of variants) {
  servers.set(
    variant,
    await startChild<Ports>(
      new URL("./rpc-cpu-server.ts", import.meta.url),
      [variant],
      variant === "traced" ? tracing : {},
    ),
  );
}
const contenders = [...servers].flatMap(([variant, server]) =>
  wiresOf[variant]
    .filter((wire) => chosenWires.includes(wire))
    .flatMap((wire) => {
      const calls = callsOf(server.ready, wire);
      return methods.map((method) => ({
        name: `${method} ${wire} ${variant}`,
        method,
        wire,
        server,
        call: calls[method],
      }));
    }),
);

const bodies: Partial<Record<Method, string>> = {};
for (const { name, method, wire, call } of contenders) {
  if (wire !== "rest") continue;
  const body = restBody(await call());
  bodies[method] ??= body;
  if (body !== bodies[method]) throw new Error(`${name} answers ${body}, another ${bodies[method]}`);
}

const micros: Record<string, number[]> = Object.fromEntries(contenders.map(({ name }) => [name, []]));
// The first two rounds are warm-up, so that compilation is not measured.
for (let round = -2; round < rounds; round++) {
  for (const { name, server, call } of contenders) {
    const before = await server.ask<{ cpuMicros: number }>("usage");
    const { latenciesMs } = await drive({ concurrency, count: requests, seconds: 2 }, call);
    const after = await server.ask<{ cpuMicros: number }>("usage");
    if (round >= 0) {
      micros[name]?.push((after.cpuMicros - before.cpuMicros) / latenciesMs.length);
    }
  }
}
console.log(
  `${requestOf.create.binary.length} bytes of order, ${requests} requests or 2 s a round, ${concurrency} at a time`,
);
printRounds(micros as Rounds, "µs CPU per request");
const ours = variants.filter((variant) => variant === "wire" || variant === "full");
printRatios(
  micros,
  methods.flatMap((method) => {
    const pairs = ours.flatMap((variant) => [
      [`${method} rest ${variant}`, `${method} rest bare`] as const,
      [`${method} rest ${variant}`, `${method} rest fastify`] as const,
      [`${method} rest ${variant}`, `${method} connect-json connect-node`] as const,
      ...(["connect", "connect-json", "grpc-web"] as const).map(
        (wire) => [`${method} ${wire} ${variant}`, `${method} ${wire} connect-node`] as const,
      ),
      ...(variant === "full" ? wires : []).flatMap((wire) => [
        [`${method} ${wire} traced`, `${method} ${wire} full`] as const,
        [`${method} ${wire} full`, `${method} ${wire} unmeasured`] as const,
      ]),
    ]);
    return pairs.filter(([of, to]) => of in micros && to in micros);
  }),
);
if (variants.includes("traced") && receiver.spans.length === 0) throw new Error("no request was traced");
await keepResult("rpc-cpu", { machine, requests, concurrency, microsPerRequest: micros });
for (const server of servers.values()) {
  await server[Symbol.asyncDispose]();
}
await receiver[Symbol.asyncDispose]();
process.exit();
