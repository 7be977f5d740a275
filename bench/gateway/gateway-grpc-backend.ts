import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import { serveParent } from "../support/child.ts";

/** The gRPC server of `gateway-grpc.ts`, which costs as little as a server can: CreateBook returns the book's bytes. */
const passBytes = (bytes: Buffer): Buffer => bytes;
const server = new Server({ "grpc.enable_channelz": 0 });
server.addService(
  {
    createBook: {
      path: "/gateway.test.v1.Library/CreateBook",
      requestStream: false,
      responseStream: false,
      requestSerialize: passBytes,
      requestDeserialize: passBytes,
      responseSerialize: passBytes,
      responseDeserialize: passBytes,
    },
  },
  {
    // After the tag and a length of two bytes.
    createBook: ({ request }: ServerUnaryCall<Buffer, Buffer>, respond: sendUnaryData<Buffer>) =>
      respond(null, request.subarray(3)),
  },
);
const port = await new Promise<number>((resolve, reject) => {
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
    error === null ? resolve(bound) : reject(error),
  );
});
serveParent({ port }, {}, () => server.forceShutdown());
