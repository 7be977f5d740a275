import { once } from "node:events";
import type { DescMethod, DescService, Message } from "@bufbuild/protobuf";
import {
  Code,
  type ConnectError,
  createServiceImplSpec,
  type HandlerContext,
  type ServiceImpl,
  type ServiceImplSpec,
} from "@connectrpc/connect";
import {
  type CallOptions,
  type Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientWritableStream,
  Metadata,
} from "@grpc/grpc-js";
import { binaryReader } from "../../codec/binary-reader.ts";
import { binaryWriter } from "../../codec/binary-writer.ts";
import { appendAll, directHeadersOf, hasMetadata, headersOf, metadataOf } from "./metadata.ts";
import type { Pool } from "./pool.ts";
import { unsendable, upstreamError } from "./upstream-error.ts";

/**
 * Creates implementations that forward every call of the service to the upstream.
 *
 * @param onFailure called with the reason of a connection failure, which clients do not see.
 */
export function forwardTo(
  pool: Pool,
  service: DescService,
  onFailure: (reason: string) => void = () => undefined,
): ServiceImplSpec {
  const fail: Fail = (thrown, { signal }) => {
    const error = upstreamError(thrown, signal);
    if (error.code === Code.Unavailable && error.cause instanceof Error) onFailure(error.cause.message);
    return error;
  };
  const implementation = Object.fromEntries(
    service.methods.map((method) => [method.localName, forward(method, pool, fail)]),
  );
  return createServiceImplSpec(service, implementation as unknown as Partial<ServiceImpl<DescService>>);
}

/** Converts the failure of a call to the error returned to the client. */
type Fail = (thrown: unknown, context: HandlerContext) => ConnectError;

const asIs = (bytes: Buffer): Buffer => bytes;

type Stream = ClientReadableStream<Message> | ClientDuplexStream<Buffer, Message>;

function forward(method: DescMethod, pool: Pool, fail: Fail): (request: never, context: HandlerContext) => unknown {
  const path = `/${method.parent.typeName}/${method.name}`;
  const write = binaryWriter(method.input);
  const read = binaryReader(method.output);
  /** Encodes before the call, so that a message that cannot be encoded is the client's error. */
  const serialize = (message: Message): Buffer => {
    try {
      const bytes = write(message);
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    } catch (error) {
      throw unsendable(error);
    }
  };

  switch (method.methodKind) {
    case "unary": {
      const throughGrpcJs = (client: Client, message: Buffer, context: HandlerContext): Promise<Message> =>
        new Promise((resolve, reject) => {
          const call = client.makeUnaryRequest(
            path,
            asIs,
            read,
            message,
            metadataOf(context),
            optionsOf(context),
            (error, answer) =>
              error === null && answer !== undefined ? resolve(answer) : reject(fail(error, context)),
          );
          follow(call, context);
        });
      return async (request: Message, context) => {
        const { client, direct } = pool.pick();
        const bytes = serialize(request);
        const call = direct?.call(path, directHeadersOf(context), bytes, context.signal, (header) => {
          if (hasMetadata(header)) appendAll(headersOf(Metadata.fromHttp2Headers(header)), context.responseHeader);
        });
        const answer = await call?.catch((error: unknown) => {
          throw fail(error, context);
        });
        if (answer === undefined) return throughGrpcJs(client, bytes, context);
        const { trailer, message } = answer;
        if (hasMetadata(trailer)) appendAll(headersOf(Metadata.fromHttp2Headers(trailer)), context.responseTrailer);
        return read(message);
      };
    }
    case "server_streaming":
      return (request: Message, context) => {
        const call = pool
          .pick()
          .client.makeServerStreamRequest(
            path,
            asIs,
            read,
            serialize(request),
            metadataOf(context),
            optionsOf(context),
          );
        follow(call, context);
        return messagesOf(call, context, fail);
      };
    case "client_streaming":
      return (requests: AsyncIterable<Message>, context) =>
        new Promise((resolve, reject) => {
          const call = pool
            .pick()
            .client.makeClientStreamRequest(
              path,
              asIs,
              read,
              metadataOf(context),
              optionsOf(context),
              (error, answer) =>
                error === null && answer !== undefined ? resolve(answer) : reject(fail(error, context)),
            );
          follow(call, context);
          send(call, requests, serialize).catch((error: unknown) => {
            call.cancel();
            reject(error);
          });
        });
    case "bidi_streaming":
      return (requests: AsyncIterable<Message>, context) => {
        const call = pool
          .pick()
          .client.makeBidiStreamRequest(path, asIs, read, metadataOf(context), optionsOf(context));
        follow(call, context);
        send(call, requests, serialize).catch((error: unknown) => {
          call.destroy(error instanceof Error ? error : new Error(String(error)));
        });
        return messagesOf(call, context, fail);
      };
  }
}

async function* messagesOf(call: Stream, context: HandlerContext, fail: Fail): AsyncGenerator<Message> {
  try {
    for await (const message of call) yield message as Message;
  } catch (error) {
    throw fail(error, context);
  } finally {
    call.cancel();
  }
}

async function send(
  call: ClientWritableStream<Buffer>,
  requests: AsyncIterable<Message>,
  serialize: (message: Message) => Buffer,
): Promise<void> {
  for await (const request of requests) {
    if (call.destroyed || call.writableEnded) return;
    if (!call.write(serialize(request))) await Promise.race([once(call, "drain"), once(call, "close")]);
  }
  call.end();
}

/** Copies the response metadata, and cancels the upstream call together with this one. */
function follow(call: NodeJS.EventEmitter & { cancel(): void }, context: HandlerContext): void {
  const cancel = (): void => call.cancel();
  if (context.signal.aborted) cancel();
  else context.signal.addEventListener("abort", cancel, { once: true });
  call.on("metadata", (metadata: Metadata) => appendAll(headersOf(metadata), context.responseHeader));
  call.on("status", ({ metadata }: { code: Code; metadata: Metadata }) => {
    context.signal.removeEventListener("abort", cancel);
    appendAll(headersOf(metadata), context.responseTrailer);
  });
}

function optionsOf(context: HandlerContext): CallOptions {
  const timeoutMs = context.timeoutMs();
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
}
