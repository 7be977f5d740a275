import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { create, fromJsonString, type JsonObject, toJsonString } from "@bufbuild/protobuf";
import { createServiceImplSpec, type ServiceImpl } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { fastify } from "fastify";
import { destination } from "pino";
import { createHttpHandler } from "../../gateway/http-handler.ts";
import { startTelemetry } from "../../gateway/telemetry/start-telemetry.ts";
import { OrderSchema } from "../../gen/docket/order/v1/order_pb.js";
import { OrderService } from "../../gen/docket/order/v1/order_service_pb.js";
import { createGrpcServer } from "../../services/runtime/grpc/server.ts";
import { createInterceptors } from "../../services/runtime/interceptors/interceptors.ts";
import { createLogger } from "../../services/runtime/telemetry/log.ts";
import { systemClock } from "../../services/runtime/values/clock.ts";
import { cpuMicros, serveParent } from "../support/child.ts";
import { jsonSchemaOf } from "./json-schema.ts";
import { smallOrder } from "./order-echo.ts";

/**
 * One server of `rpc-cpu.ts`, in a process of its own. GetOrder answers a fixed order of about 500 bytes, CreateOrder gives
 * back the order that it got; there is no database. The variants: `bare` is a hand-written node:http handler with
 * @bufbuild/protobuf's JSON; `fastify` checks and writes plain JSON by a schema, without Protobuf; `connect-node` is its
 * adapter alone; `wire` ours without interceptors; `full` ours as it is served: request id, a log line (to /dev/null),
 * metrics, errors, deadline, an API key, scopes and validation; `unmeasured` the same without metrics, `traced` with OpenTelemetry's SDK, which samples
 * and exports as its variables say. What is REST answers the same JSON, defaults included.
 */
const [, , variant] = process.argv;
const order = create(OrderSchema, smallOrder);
const implementation: Pick<ServiceImpl<typeof OrderService>, "getOrder" | "createOrder"> = {
  getOrder: () => order,
  createOrder: (request) => request.order ?? order,
};

const withDefaults = { alwaysEmitImplicit: true };

const bare: RequestListener = (request, response) => {
  const answer = (message: typeof order) => {
    const body = toJsonString(OrderSchema, message, withDefaults);
    response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
    response.end(body);
  };
  if (request.method === "GET") {
    answer(order);
    return;
  }
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => answer(fromJsonString(OrderSchema, Buffer.concat(chunks).toString())));
};

async function fastifyListener(): Promise<RequestListener> {
  const app = fastify();
  const schema = jsonSchemaOf(OrderSchema);
  const plain = JSON.parse(toJsonString(OrderSchema, order, withDefaults)) as JsonObject;
  app.get("/v1/orders/:order", { schema: { response: { 200: schema } } }, () => plain);
  app.post("/v1/orders", { schema: { body: schema, response: { 200: schema } } }, ({ body }) => body);
  await app.ready();
  return app.routing;
}

/** As in the program, traces are passed on in any case. */
const environments: Readonly<Record<string, NodeJS.ProcessEnv>> = {
  traced: process.env,
  unmeasured: { OTEL_METRICS_EXPORTER: "none" },
};
const telemetry = { serviceName: "bench", environment: environments[variant ?? ""] ?? {} };

async function ours(full: boolean) {
  if (full) await startTelemetry(telemetry);
  const log = createLogger({
    level: "info",
    name: "bench",
    destination: destination({ dest: "/dev/null", sync: false, minLength: 8192 }),
  });
  const scopes = new Set(["orders.read", "orders.write"]);
  const principal = { kind: "api_key", tenant: "bench", subject: "bench", scopes } as const;
  const interceptors = createInterceptors({
    authenticate: async () => principal,
    log,
    clock: systemClock,
  });
  const specs = [
    createServiceImplSpec<typeof OrderService>(OrderService, implementation as ServiceImpl<typeof OrderService>),
  ];
  return { specs, interceptors: full ? interceptors : [], log };
}

async function listen(): Promise<{ httpPort: number; grpcPort: number }> {
  const isOurs = variant === "wire" || variant === "full" || variant === "unmeasured" || variant === "traced";
  const served = isOurs ? await ours(variant !== "wire") : undefined;
  const handler =
    served !== undefined
      ? createHttpHandler({ ...served, errorDomain: "docket" })
      : variant === "bare"
        ? bare
        : variant === "fastify"
          ? await fastifyListener()
          : connectNodeAdapter({ routes: (router) => router.service(OrderService, implementation) });
  const server = createServer(handler as RequestListener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const grpcPort = served === undefined ? 0 : await createGrpcServer(served).listen({ host: "127.0.0.1", port: 0 });
  return { httpPort: (server.address() as AddressInfo).port, grpcPort };
}

serveParent(await listen(), { usage: () => ({ cpuMicros: cpuMicros() }) }, () => {});
