import { readFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createSecureServer as createHttp2SecureServer, createServer as createHttp2Server } from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Server } from "node:net";
import {
  create,
  createFileRegistry,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createHttpHandler } from "../http-server.ts";
import { echoMethods, libraryMethods, testSpec } from "../testing/test-api.ts";
import { conformanceSpec } from "./service.ts";

/**
 * The server under test of the Connect conformance suite: reads a ServerCompatRequest from stdin, serves by it, and
 * writes where to stdout. The first argument is the descriptor set of the suite's own protos. REST is mounted beside.
 */
const [descriptorSet = ""] = process.argv.slice(2);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptorSet)));
const requestDesc = messageOf("ServerCompatRequest");
const responseDesc = messageOf("ServerCompatResponse");

interface CompatRequest {
  readonly httpVersion: number;
  readonly useTls: boolean;
  readonly clientTlsCert: Uint8Array;
  readonly messageReceiveLimit: number;
  readonly serverCreds?: { readonly cert: Uint8Array; readonly key: Uint8Array };
}

/** Connections are kept for longer than the runner may think about its next case. */
const keep = { keepAliveTimeout: 120_000 };

const request = fromBinary(requestDesc, await readFrame(process.stdin)) as unknown as CompatRequest;
const server = makeServer(request);
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port, address } = server.address() as AddressInfo;
const answer = toBinary(
  responseDesc,
  create(responseDesc, {
    host: address,
    port,
    ...(request.useTls ? { pemCert: request.serverCreds?.cert } : {}),
  } as MessageInitShape<DescMessage>),
);
const size = Buffer.alloc(4);
size.writeUInt32BE(answer.length);
process.stdout.write(Buffer.concat([size, answer]));

/** Reads one message as the runner frames it: its size as four bytes, big-endian, before it. */
async function readFrame(input: AsyncIterable<Buffer>): Promise<Buffer> {
  let read = Buffer.alloc(0);
  for await (const chunk of input) {
    read = Buffer.concat([read, chunk]);
    if (read.length >= 4 && read.length >= 4 + read.readUInt32BE()) break;
  }
  return read.subarray(4, 4 + read.readUInt32BE());
}

function makeServer(request: CompatRequest): Server {
  const handler = createHttpHandler({
    specs: [conformanceSpec(registry), testSpec("Library", libraryMethods()), testSpec("Echo", echoMethods())],
    registry,
    ...(request.messageReceiveLimit > 0 ? { maxBodyBytes: request.messageReceiveLimit } : {}),
  });
  const { serverCreds, clientTlsCert } = request;
  const tls =
    request.useTls && serverCreds !== undefined
      ? {
          cert: Buffer.from(serverCreds.cert),
          key: Buffer.from(serverCreds.key),
          ...(clientTlsCert.length > 0
            ? { requestCert: true, rejectUnauthorized: true, ca: Buffer.from(clientTlsCert) }
            : {}),
        }
      : undefined;
  switch (request.httpVersion) {
    case 1:
      return tls === undefined
        ? createServer(keep, handler)
        : createHttpsServer({ ...keep, ...tls }, handler as RequestListener);
    case 2:
      return tls === undefined ? createHttp2Server(handler) : createHttp2SecureServer(tls, handler);
    default:
      throw new Error(`HTTP version ${request.httpVersion} is not served`);
  }
}

function messageOf(name: string): DescMessage {
  const desc = registry.getMessage(`connectrpc.conformance.v1.${name}`);
  if (desc === undefined) throw new Error(`no message ${name}`);
  return desc;
}
