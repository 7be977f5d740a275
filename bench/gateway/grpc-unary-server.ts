import { create, type DescFile, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createServiceImplSpec } from "@connectrpc/connect";
import { type handleUnaryCall, Server, ServerCredentials } from "@grpc/grpc-js";
import { destination } from "pino";
import protobufjs from "protobufjs";
import descriptor from "protobufjs/ext/descriptor/index.js";
import { OrderSchema } from "../../gen/docket/order/v1/order_pb.js";
import { createGrpcServer } from "../../services/runtime/grpc/server.ts";
import { createInterceptors } from "../../services/runtime/interceptors/interceptors.ts";
import { createLogger } from "../../services/runtime/telemetry/log.ts";
import { systemClock } from "../../services/runtime/values/clock.ts";
import { cpuMicros, serveParent } from "../support/child.ts";
import { echoPath, OrderEcho } from "./order-echo.ts";

/**
 * One server of `grpc-unary.ts`, in a process of its own: `bare` is grpc-js with protobufjs' codecs and nothing else;
 * `wire` is ours without interceptors; `full` is ours as it is served: request id, a log line (to /dev/null), metrics,
 * error mapping, deadline, an API key (looked up in memory), scopes and validation.
 */
const [, , variant] = process.argv;

function protobufjsOrder(): protobufjs.Type {
  const files = new Set<DescFile>();
  const add = (file: DescFile) => {
    file.dependencies.forEach(add);
    files.add(file);
  };
  add(OrderSchema.file);
  const set = create(FileDescriptorSetSchema, { file: [...files].map(({ proto }) => proto) });
  const Root = protobufjs.Root as typeof protobufjs.Root & { fromDescriptor(set: unknown): protobufjs.Root };
  const decoded = descriptor.FileDescriptorSet.decode(toBinary(FileDescriptorSetSchema, set));
  return Root.fromDescriptor(decoded).resolveAll().lookupType(OrderSchema.typeName);
}

async function listenBare(): Promise<number> {
  const order = protobufjsOrder();
  const server = new Server({ "grpc.enable_channelz": 0 });
  const echo: handleUnaryCall<protobufjs.Message, protobufjs.Message> = (call, respond) => respond(null, call.request);
  const codec = {
    serialize: (message: protobufjs.Message) => order.encode(message).finish() as Buffer,
    deserialize: (bytes: Buffer) => order.decode(bytes),
  };
  const definition = {
    path: echoPath,
    requestStream: false,
    responseStream: false,
    requestSerialize: codec.serialize,
    requestDeserialize: codec.deserialize,
    responseSerialize: codec.serialize,
    responseDeserialize: codec.deserialize,
  };
  server.addService({ echo: definition }, { echo });
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

async function listenOurs(full: boolean): Promise<number> {
  const log = createLogger({
    level: "info",
    name: "bench",
    destination: destination({ dest: "/dev/null", sync: false, minLength: 8192 }),
  });
  const principal = { kind: "api_key", tenant: "bench", subject: "bench", scopes: new Set(["orders.read"]) } as const;
  const interceptors = createInterceptors({
    authenticate: async () => principal,
    log,
    clock: systemClock,
  });
  const server = createGrpcServer({
    specs: [createServiceImplSpec<typeof OrderEcho>(OrderEcho, { echo: (order) => order })],
    interceptors: full ? interceptors : [],
    log,
  });
  return server.listen({ host: "127.0.0.1", port: 0 });
}

const port = await (variant === "bare" ? listenBare() : listenOurs(variant === "full"));
serveParent({ port }, { usage: () => ({ cpuMicros: cpuMicros() }) }, () => {});
