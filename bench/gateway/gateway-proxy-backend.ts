import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import { serveParent } from "../support/child.ts";

/**
 * The gRPC server that both gateways of `gateway-proxy.ts` call. It costs as little as a server can: it answers bytes,
 * CreateOrder those that it got, GetOrder those of the last one created.
 */
let order: Buffer = Buffer.alloc(0);

const passBytes = (bytes: Buffer): Buffer => bytes;
const method = (name: string) => ({
  path: `/bench.v1.Orders/${name}`,
  requestStream: false,
  responseStream: false,
  requestSerialize: passBytes,
  requestDeserialize: passBytes,
  responseSerialize: passBytes,
  responseDeserialize: passBytes,
});
type Call = ServerUnaryCall<Buffer, Buffer>;

const server = new Server({ "grpc.enable_channelz": 0 });
server.addService(
  { getOrder: method("GetOrder"), createOrder: method("CreateOrder") },
  {
    getOrder: (_: Call, respond: sendUnaryData<Buffer>) => respond(null, order),
    createOrder: ({ request }: Call, respond: sendUnaryData<Buffer>) => {
      // The one field of a CreateOrderRequest: its tag, a length of two bytes, the order.
      order = request.subarray(3);
      respond(null, order);
    },
  },
);
const port = await new Promise<number>((resolve, reject) => {
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
    error === null ? resolve(bound) : reject(error),
  );
});
serveParent({ port }, {}, () => server.forceShutdown());
