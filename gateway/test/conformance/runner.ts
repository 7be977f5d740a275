import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import {
  create,
  createFileRegistry,
  type DescMessage,
  type FileRegistry,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

/** The configuration that the suite's runner requests: a ServerCompatRequest. */
export interface Wanted {
  /** 1 or 2. */
  readonly httpVersion: number;
  /** If undefined, plain text. The certificates are PEM. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer; readonly clientCa?: Buffer };
  /** Maximum size of a message, uncompressed, in bytes. */
  readonly messageReceiveLimit: number;
}

interface CompatRequest {
  readonly httpVersion: number;
  readonly useTls: boolean;
  readonly clientTlsCert: Uint8Array;
  readonly messageReceiveLimit: number;
  readonly serverCreds?: { readonly cert: Uint8Array; readonly key: Uint8Array };
}

/** The types of the suite's own protos, from the descriptor set at `path`. */
export function readSuite(path: string): FileRegistry {
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(path)));
}

/**
 * Reads the requested configuration from stdin, has `listen` serve it on a loopback port, and writes the port to
 * stdout.
 */
export async function answerRunner(
  suite: FileRegistry,
  listen: (wanted: Wanted) => Promise<Pick<AddressInfo, "port">>,
): Promise<void> {
  const request = fromBinary(
    messageOf(suite, "ServerCompatRequest"),
    await readFrame(process.stdin),
  ) as unknown as CompatRequest;
  const wanted = wantedOf(request);
  const { port } = await listen(wanted);
  const desc = messageOf(suite, "ServerCompatResponse");
  const response = { host: "127.0.0.1", port, ...(wanted.tls && { pemCert: wanted.tls.cert }) };
  const answer = toBinary(desc, create(desc, response as MessageInitShape<DescMessage>));
  const size = Buffer.alloc(4);
  size.writeUInt32BE(answer.length);
  process.stdout.write(Buffer.concat([size, answer]));
}

/** Reads one message in the runner's framing: its size as four bytes, big-endian, then the message. */
async function readFrame(input: AsyncIterable<Buffer>): Promise<Buffer> {
  let read = Buffer.alloc(0);
  for await (const chunk of input) {
    read = Buffer.concat([read, chunk]);
    if (read.length >= 4 && read.length >= 4 + read.readUInt32BE()) break;
  }
  return read.subarray(4, 4 + read.readUInt32BE());
}

function wantedOf({ httpVersion, useTls, serverCreds, clientTlsCert, messageReceiveLimit }: CompatRequest): Wanted {
  if (!useTls || serverCreds === undefined) return { httpVersion, messageReceiveLimit };
  const tls = { cert: Buffer.from(serverCreds.cert), key: Buffer.from(serverCreds.key) };
  const clientCa = clientTlsCert.length > 0 ? { clientCa: Buffer.from(clientTlsCert) } : {};
  return { httpVersion, messageReceiveLimit, tls: { ...tls, ...clientCa } };
}

function messageOf(suite: FileRegistry, name: string): DescMessage {
  const desc = suite.getMessage(`connectrpc.conformance.v1.${name}`);
  if (desc === undefined) throw new Error(`no message ${name}`);
  return desc;
}
