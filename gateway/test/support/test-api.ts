import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import {
  create,
  createFileRegistry,
  type DescMessage,
  type DescService,
  type FileRegistry,
  fromBinary,
  type JsonObject,
  type Message,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import {
  Code,
  ConnectError,
  createServiceImplSpec,
  type HandlerContext,
  type ServiceImpl,
  type ServiceImplSpec,
} from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { createHttpHandler } from "../../http-handler.ts";
import { createDocumentBuilder } from "../../openapi/document.ts";
import { parseOptions } from "../../openapi/options.ts";
import type { HttpOptions } from "../../rest/options.ts";
import { type AnswerRecorder, createAnswerRecorder } from "./answer-recorder.ts";

/** A message of the test API, whose types are known only at run time. */
export type Loose = Message & Record<string, unknown>;

/** The files of `testdata/proto`, compiled by `buf build`. */
export const testRegistry: FileRegistry = createFileRegistry(
  fromBinary(FileDescriptorSetSchema, readFileSync(new URL("../testdata/api.binpb", import.meta.url))),
);

/** A message type of the test API by its short name. */
export function testMessage(name: string): DescMessage {
  const desc = testRegistry.getMessage(`gateway.test.v1.${name}`);
  if (desc === undefined) throw new Error(`no message ${name}`);
  return desc;
}

/** A service of the test API by its short name. */
export function testService(name: string): DescService {
  const desc = testRegistry.getService(`gateway.test.v1.${name}`);
  if (desc === undefined) throw new Error(`no service ${name}`);
  return desc;
}

/** Implementations of one service, by local method name. */
export type Methods = Record<string, (request: Loose, context: HandlerContext) => unknown>;

/** A spec for a service of the test API. */
export function testSpec(name: string, methods: Methods): ServiceImplSpec {
  return createServiceImplSpec(testService(name), methods as unknown as Partial<ServiceImpl<DescService>>);
}

function book(name: unknown, init: Record<string, unknown> = {}): Loose {
  return create(testMessage("Book"), { name, ...init } as never) as Loose;
}

async function collect(requests: unknown): Promise<Loose[]> {
  const all: Loose[] = [];
  for await (const request of requests as AsyncIterable<Loose>) all.push(request);
  return all;
}

async function* watchBooks(request: Loose): AsyncGenerator<unknown> {
  const start = request["resumeToken"] === "" ? 0 : Number(request["resumeToken"]);
  for (let at = start + 1; at <= start + Number(request["count"]); at += 1) {
    if (request["failAfter"] !== 0 && at - start > Number(request["failAfter"])) {
      throw new ConnectError("the shelf fell", Code.DataLoss);
    }
    if (request["pauseMs"] !== 0) await sleep(Number(request["pauseMs"]));
    yield { book: book(`books/${at}`), resumeToken: String(at) };
  }
}

async function* download(request: Loose): AsyncGenerator<unknown> {
  const total = Number(request["byteCount"]);
  const failAfter = Number(request["failAfter"]);
  const chunk = 64 * 1024;
  for (let sent = 0; sent < total; sent += chunk) {
    if (failAfter > 0 && sent >= failAfter) throw new ConnectError("the disk broke", Code.DataLoss);
    yield {
      contentType: "application/x-books",
      data: new Uint8Array(Math.min(chunk, total - sent)).fill(sent / chunk),
    };
  }
}

async function upload(requests: unknown, inner: (request: Loose) => Loose): Promise<unknown> {
  let byteCount = 0n;
  let messageCount = 0;
  let contentType = "";
  let parent = "";
  for await (const request of requests as AsyncIterable<Loose>) {
    const body = inner(request);
    if (messageCount === 0) parent = String(request["parent"] ?? "");
    messageCount += 1;
    contentType = String(body["contentType"]);
    byteCount += BigInt((body["data"] as Uint8Array).length);
  }
  return { byteCount, messageCount, contentType, parent };
}

/** The library service used by the tests. `calls` receives the name of each method that ran. */
export function libraryMethods(): Methods {
  return {
    createBook: (request, context) => {
      context.responseHeader.set("x-shelf", "first");
      context.responseTrailer.set("x-left", "3");
      const wanted = (request["book"] as Loose | undefined) ?? book("");
      return { ...wanted, name: `${request["parent"]}/books/${request["bookId"] || "new"}` };
    },
    getBook: (request) => book(request["name"], { title: "Emma", pages: 474n, etag: "v1" }),
    updateBook: (request) => {
      const wanted = request["book"] as Loose;
      if (wanted["etag"] !== "" && wanted["etag"] !== "v1") {
        throw new ConnectError("stale", Code.Aborted, undefined, [
          { desc: ErrorInfoSchema, value: { reason: "ETAG_MISMATCH", domain: "test" } },
        ]);
      }
      const mask = request["updateMask"] as Loose | undefined;
      return { ...wanted, etag: "v2", tags: (mask?.["paths"] as string[] | undefined) ?? ["no mask"] };
    },
    deleteBook: () => ({}),
    listBooks: (request) => ({
      books: [book(`${request["parent"]}/books/1`), book(`${request["parent"]}/books/2`)],
      nextPageToken: String(request["pageSize"]),
    }),
    moveBook: (request) => book(`${request["otherShelf"]}/books/1`, { etag: String(request["etag"]) }),
    watchBooks: watchBooks as never,
    uploadBooks: (requests) => upload(requests, (request) => request),
    uploadToShelf: (requests) => upload(requests, (request) => request["content"] as Loose),
    downloadBooks: download as never,
    getCover: () => ({ contentType: "image/svg+xml", data: new TextEncoder().encode("<svg/>") }),
    putCover: (request) => ({
      contentType: (request["image"] as Loose)["contentType"],
      data: (request["image"] as Loose)["data"],
    }),
    importBooks: async (requests) => {
      const books = await collect(requests);
      return { messageCount: books.length, names: books.map((book) => String(book["name"])) };
    },
    chat: async function* (requests: unknown) {
      for await (const message of requests as AsyncIterable<Loose>) {
        yield { room: message["room"], text: `echo ${message["text"]}` };
      }
    } as never,
    unannotated: (request) => book(request["name"]),
  };
}

/** The echo service used by the tests. */
export function echoMethods(): Methods {
  const fail = (request: Loose): never => {
    const reason = String(request["reason"]);
    if (request["code"] === 0) throw new Error(String(request["message"]));
    throw new ConnectError(
      String(request["message"]),
      Number(request["code"]) as Code,
      undefined,
      reason === "" ? [] : [{ desc: ErrorInfoSchema, value: { reason, domain: "test" } }],
    );
  };
  return {
    echoQuery: (request) => request,
    echoBody: (request) => request,
    echoPath: (request) => request,
    fail,
    failStream: async function* (request: Loose) {
      for (let at = 0; at < Number(request["after"]); at += 1) yield { int32Field: at };
      fail(request);
    } as never,
    metadata: (request, context) => {
      const values: Record<string, string> = {};
      for (const name of request["names"] as string[]) {
        const value = context.requestHeader.get(name);
        if (value !== null) values[name] = value;
      }
      return { values };
    },
    wait: async (request, context) => {
      const duration = request["duration"] as { seconds: bigint; nanos: number };
      const ms = Number(duration.seconds) * 1000 + duration.nanos / 1e6;
      await sleep(ms, undefined, request["deaf"] === true ? {} : { signal: context.signal });
      return {};
    },
  };
}

/** A server of the test API on a free port. */
export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly server: Server;
}

/**
 * Serves both services of the test API with the given options. Disposing throws if a response did not match the
 * document; `isOutside` is true for mismatches, by their line, that no document can describe.
 */
export async function startTestServer(
  options: Partial<HttpOptions> = {},
  isOutside: (problem: string) => boolean = () => false,
): Promise<TestServer> {
  const recorder = createAnswerRecorder(testDocument(options));
  const running = await startUnwatchedServer(options, recorder.record);
  return {
    ...running,
    async [Symbol.asyncDispose]() {
      await running[Symbol.asyncDispose]();
      recorder.assertDescribed(isOutside);
    },
  };
}

/** Starts the same server without checking the responses, for hostile or large requests. */
export async function startUnwatchedServer(
  options: Partial<HttpOptions> = {},
  onRequest: AnswerRecorder["record"] = () => undefined,
): Promise<TestServer> {
  const handler = createHttpHandler({
    specs: [testSpec("Library", libraryMethods()), testSpec("Echo", echoMethods())],
    registry: testRegistry,
    ...options,
  });
  const server = createServer({ shouldUpgradeCallback: handler.shouldUpgrade }, (request, response) => {
    onRequest(request, response);
    handler(request, response);
  });
  server.on("upgrade", handler.upgrade);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    server,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The OpenAPI document of both services of that server. */
export function testDocument({ errorFormat = "status", json, created }: Partial<HttpOptions> = {}): JsonObject {
  const format = `error_format=${errorFormat},proto_names=${json?.protoNames ?? false},created=${created ?? true}`;
  const options = parseOptions(`title=Test,version=1,license=Apache-2.0,${format}`);
  return createDocumentBuilder(testRegistry, options).build([testService("Library"), testService("Echo")]);
}
