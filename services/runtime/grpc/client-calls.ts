import { type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type StreamRequest,
  type StreamResponse,
  type UnaryRequest,
  type UnaryResponse,
} from "@connectrpc/connect";
import {
  type Client,
  type ClientDuplexStream,
  type Metadata,
  status as Status,
  type StatusObject,
} from "@grpc/grpc-js";
import { headersOf, metadataOf } from "./metadata.ts";
import { errorOf } from "./status.ts";

/** Makes a unary call. Resolves after the trailers have arrived; rejects with a ConnectError. */
export function callUnary<I extends DescMessage, O extends DescMessage>(
  client: Client,
  request: UnaryRequest<I, O>,
  timeoutMs: number | undefined,
): Promise<UnaryResponse<I, O>> {
  const { method, service, signal } = request;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    let header = new Headers();
    let message: MessageShape<O> | undefined;
    const call = client.makeUnaryRequest(
      pathOf(request),
      (value: MessageShape<I>) => encode(method.input, value),
      (bytes: Buffer) => fromBinary(method.output, bytes),
      request.message,
      metadataOf(request.header),
      callOptions(timeoutMs),
      (_failure, answer) => {
        message = answer;
      },
    );
    const cancel = () => call.cancel();
    signal.addEventListener("abort", cancel);
    call.on("metadata", (metadata) => {
      header = headersOf(metadata);
    });
    // Emitted last, after the response, with the trailers.
    call.on("status", (status) => {
      signal.removeEventListener("abort", cancel);
      if (message === undefined) {
        reject(failureOf(status, service.typeName));
      } else {
        resolve({ stream: false, service, method, header, trailer: headersOf(status.metadata), message });
      }
    });
  });
}

/**
 * Makes a streaming call. All three kinds are the same on the wire: requests one way, responses the other, a status
 * last. Resolves when the server has begun to respond or has rejected the call; failures are thrown by the response
 * iterator.
 */
export async function callStream<I extends DescMessage, O extends DescMessage>(
  client: Client,
  request: StreamRequest<I, O>,
  timeoutMs: number | undefined,
): Promise<StreamResponse<I, O>> {
  const { method, service, signal } = request;
  signal.throwIfAborted();
  const call: ClientDuplexStream<MessageShape<I>, MessageShape<O>> = client.makeBidiStreamRequest(
    pathOf(request),
    (value: MessageShape<I>) => encode(method.input, value),
    (bytes: Buffer) => fromBinary(method.output, bytes),
    metadataOf(request.header),
    callOptions(timeoutMs),
  );
  const trailer = new Headers();
  const cancel = () => call.cancel();
  signal.addEventListener("abort", cancel);
  const begun = new Promise<Metadata | undefined>((resolve) => {
    call.on("metadata", resolve);
    call.on("status", (status) => {
      signal.removeEventListener("abort", cancel);
      headersOf(status.metadata).forEach((value, key) => {
        trailer.append(key, value);
      });
      resolve(undefined);
    });
  });
  const ended = new Promise<StatusObject>((resolve) => call.on("status", resolve));
  // Errors are read from the status. Without a listener the event would end the process.
  call.on("error", () => {});
  const sent = send(call, request.message);

  const metadata = await begun;
  return {
    stream: true,
    service,
    method,
    header: metadata === undefined ? new Headers() : headersOf(metadata),
    trailer,
    message: answers(call, ended, sent, service.typeName),
  };
}

/** Writes the requests with backpressure. A failing source cancels the call; resolves with its error. */
async function send<I, O>(call: ClientDuplexStream<I, O>, messages: AsyncIterable<I>): Promise<unknown> {
  try {
    for await (const message of messages) {
      if (call.destroyed || call.writableEnded) {
        return undefined;
      }
      await new Promise<void>((resolve) => {
        call.once("close", resolve);
        call.write(message, () => {
          call.off("close", resolve);
          resolve();
        });
      });
    }
    call.end();
    return undefined;
  } catch (error) {
    call.cancel();
    return error;
  }
}

async function* answers<I, O>(
  call: ClientDuplexStream<I, O>,
  ended: Promise<StatusObject>,
  sent: Promise<unknown>,
  service: string,
): AsyncGenerator<O> {
  try {
    yield* call as AsyncIterable<O>;
  } catch {
    // Reported by the status below.
  } finally {
    call.cancel();
  }
  const status = await ended;
  if (status.code === Status.CANCELLED) {
    const sourceError = await Promise.race([sent, undefined]);
    throw sourceError ?? failureOf(status, service);
  }
  if (status.code !== Status.OK) {
    throw failureOf(status, service);
  }
}

function pathOf({ method, service }: UnaryRequest | StreamRequest): string {
  return `/${service.typeName}/${method.name}`;
}

function callOptions(timeoutMs: number | undefined) {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
}

function encode<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Buffer {
  const bytes = toBinary(schema, message);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** grpc-js names hosts and ports in connection errors, which must not be exposed to callers. */
function failureOf(status: StatusObject, service: string): ConnectError {
  const error = errorOf(status);
  if (error.details.length > 0) {
    return error;
  }
  const message = localMessages.get(error.code);
  if (message === undefined) {
    return error;
  }
  const neutral = new ConnectError(
    `${service} ${message}`,
    error.code,
    undefined,
    undefined,
    new Error(status.details),
  );
  neutral.isWireError = true;
  return neutral;
}

const localMessages: ReadonlyMap<Code, string> = new Map([
  [Code.Unavailable, "cannot be reached"],
  [Code.DeadlineExceeded, "did not respond in time"],
  [Code.Internal, "aborted the call"],
]);
