import { once } from "node:events";
import type { DescMethod, DescService, Message } from "@bufbuild/protobuf";
import {
  type Code,
  createServiceImplSpec,
  type HandlerContext,
  type ServiceImpl,
  type ServiceImplSpec,
} from "@connectrpc/connect";
import {
  type CallOptions,
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientWritableStream,
  connectivityState,
  Metadata,
} from "@grpc/grpc-js";
import { binaryReader } from "../codec/binary-reader.ts";
import { binaryWriter } from "../codec/binary-writer.ts";
import { type DirectChannel, openDirectChannel } from "./direct-channel.ts";
import { appendAll, directHeadersOf, hasMetadata, headersOf, metadataOf } from "./metadata.ts";
import { upstreamError } from "./upstream-error.ts";

/** Where the gRPC servers are. Calls go to them in turn, those that cannot be reached left out. */
export interface Upstream extends Disposable {
  /** Implementations that hand every call on to the upstream. */
  specOf(service: DescService): ServiceImplSpec;
}

/** One address: grpc-js's channel to it, and ours for unary calls. */
interface Server {
  readonly client: Client;
  readonly direct: DirectChannel | undefined;
}

const channelOptions: ChannelOptions = {
  "grpc.service_config": JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
  "grpc-node.max_session_memory": Number.MAX_SAFE_INTEGER,
};

/** Opens channels to all addresses: `host:port`, or any name grpc-js knows, such as `dns:host:port` or `unix:path`. */
export function openUpstream(
  addresses: readonly string[],
  { credentials, direct }: { readonly credentials: ChannelCredentials; readonly direct: boolean },
): Upstream {
  const servers: readonly Server[] = addresses.map((address) => ({
    client: new Client(address, credentials, channelOptions),
    direct: direct ? openDirectChannel(address) : undefined,
  }));
  let turn = 0;

  /** The next one that is not known to be down; the next one at all where every one is. */
  const pick = (): Server => {
    for (let tried = 0; tried < servers.length; tried += 1) {
      const server = servers[turn % servers.length] as Server;
      turn += 1;
      if (server.client.getChannel().getConnectivityState(true) !== connectivityState.TRANSIENT_FAILURE) return server;
    }
    return servers[turn % servers.length] as Server;
  };

  return {
    specOf(service) {
      const implementation = Object.fromEntries(
        service.methods.map((method) => [method.localName, forward(method, pick)]),
      );
      return createServiceImplSpec(service, implementation as unknown as Partial<ServiceImpl<DescService>>);
    },
    [Symbol.dispose]() {
      for (const { client, direct } of servers) {
        client.close();
        direct?.[Symbol.dispose]();
      }
    },
  };
}

type Stream = ClientReadableStream<Message> | ClientDuplexStream<Message, Message>;

function forward(method: DescMethod, pick: () => Server): (request: never, context: HandlerContext) => unknown {
  const path = `/${method.parent.typeName}/${method.name}`;
  const write = binaryWriter(method.input);
  const read = binaryReader(method.output);
  const serialize = (message: Message): Buffer => {
    const bytes = write(message);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };

  switch (method.methodKind) {
    case "unary": {
      const throughGrpcJs = (client: Client, request: Message, context: HandlerContext): Promise<Message> =>
        new Promise((resolve, reject) => {
          const call = client.makeUnaryRequest(
            path,
            serialize,
            read,
            request,
            metadataOf(context),
            optionsOf(context),
            (error, answer) =>
              error === null && answer !== undefined ? resolve(answer) : reject(upstreamError(error)),
          );
          follow(call, context);
        });
      return async (request: Message, context) => {
        const { client, direct } = pick();
        const call = direct?.call(path, directHeadersOf(context), write(request), context.signal);
        if (call === undefined) return throughGrpcJs(client, request, context);
        const answer = await call.catch((error: unknown) => {
          throw upstreamError(error);
        });
        if (answer === undefined) return throughGrpcJs(client, request, context);
        const { header, trailer, message } = answer;
        if (hasMetadata(header)) appendAll(headersOf(Metadata.fromHttp2Headers(header)), context.responseHeader);
        if (hasMetadata(trailer)) appendAll(headersOf(Metadata.fromHttp2Headers(trailer)), context.responseTrailer);
        return read(message);
      };
    }
    case "server_streaming":
      return (request: Message, context) => {
        const call = pick().client.makeServerStreamRequest(
          path,
          serialize,
          read,
          request,
          metadataOf(context),
          optionsOf(context),
        );
        follow(call, context);
        return messagesOf(call);
      };
    case "client_streaming":
      return (requests: AsyncIterable<Message>, context) =>
        new Promise((resolve, reject) => {
          const call = pick().client.makeClientStreamRequest(
            path,
            serialize,
            read,
            metadataOf(context),
            optionsOf(context),
            (error, answer) =>
              error === null && answer !== undefined ? resolve(answer) : reject(upstreamError(error)),
          );
          follow(call, context);
          send(call, requests).catch((error: unknown) => {
            call.cancel();
            reject(error);
          });
        });
    case "bidi_streaming":
      return (requests: AsyncIterable<Message>, context) => {
        const call = pick().client.makeBidiStreamRequest(
          path,
          serialize,
          read,
          metadataOf(context),
          optionsOf(context),
        );
        follow(call, context);
        send(call, requests).catch((error: unknown) => {
          call.destroy(error instanceof Error ? error : new Error(String(error)));
        });
        return messagesOf(call);
      };
  }
}

async function* messagesOf(call: Stream): AsyncGenerator<Message> {
  try {
    for await (const message of call) yield message as Message;
  } catch (error) {
    throw upstreamError(error);
  } finally {
    call.cancel();
  }
}

async function send(call: ClientWritableStream<Message>, requests: AsyncIterable<Message>): Promise<void> {
  for await (const request of requests) {
    if (call.destroyed || call.writableEnded) return;
    if (!call.write(request)) await Promise.race([once(call, "drain"), once(call, "close")]);
  }
  call.end();
}

/** Takes the answer's metadata over and cancels the call when ours is cancelled. */
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
