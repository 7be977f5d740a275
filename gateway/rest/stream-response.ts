import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Message } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import type { Call } from "../call/call-context.ts";
import type { JsonCodec } from "../codec/json-codec.ts";
import { isServerFault, toConnectError } from "../errors.ts";
import { type FieldNames, withFieldNames } from "../fields/field-names.ts";
import type { Request, Response } from "../http/body/request.ts";
import { writeChunk } from "../http/body/response.ts";
import { internalError } from "../http/listener/last-resort.ts";
import { copyMetadata } from "../http/metadata.ts";
import { errorBody } from "./error-body.ts";
import { contentTypeOf, httpBodyOf, type PreparedRoute } from "./prepared-route.ts";
import { type ErrorOptions, writeHead } from "./response.ts";
import { createStreamWriter, negotiateStreamFormat, type StreamFormat } from "./stream-format.ts";
import { addTrailers, takesTrailers } from "./trailers.ts";

/** Options for writing a stream. */
export interface StreamOptions {
  readonly codec: JsonCodec;
  readonly heartbeatMs: number;
  /** The format if `Accept` names none. */
  readonly streamFormat: StreamFormat;
  readonly errors: ErrorOptions;
  /** Called with errors that the client did not cause. */
  readonly onError: (error: unknown) => void;
}

/**
 * Writes the messages of a call as SSE, NDJSON or a JSON array, according to `Accept`, no faster than the client reads.
 *
 * An error before the first message is thrown, so that the response can have its status; a later one becomes the last
 * element. The head is sent with the first message or the first heartbeat.
 */
export async function writeStream(
  request: Request,
  response: Response,
  route: PreparedRoute,
  messages: AsyncIterator<Message>,
  context: Call,
  options: StreamOptions,
): Promise<void> {
  const format = negotiateStreamFormat(request.headers.accept, options.streamFormat);
  const writer = createStreamWriter(format);
  const { output } = route.method;
  const open = (): void => {
    if (response.headersSent) return;
    const headers: OutgoingHttpHeaders = { "x-content-type-options": "nosniff", "x-accel-buffering": "no" };
    copyMetadata(context.touchedHeader(), headers);
    headers["content-type"] = writer.contentType;
    headers["cache-control"] ??= "no-store";
    writeHead(response, 200, headers);
    if (writer.open !== "") (response as ServerResponse).write(writer.open);
    else (response as ServerResponse).flushHeaders();
  };
  // Heartbeats are skipped while the client does not read, because they would only accumulate.
  const beat = (): void => {
    open();
    if (!(response as ServerResponse).writableNeedDrain) (response as ServerResponse).write(writer.heartbeat);
  };
  const heartbeat = setInterval(() => {
    try {
      beat();
    } catch (error) {
      // If the head cannot be written, the call ends with its connection.
      options.onError(error);
      response.destroy();
    }
  }, options.heartbeatMs);
  try {
    for (;;) {
      const next = await messages.next();
      if (next.done === true) break;
      open();
      const json =
        route.responseBody === undefined
          ? options.codec.write(output, next.value)
          : options.codec.writeField(output, next.value, route.responseBody);
      await writeChunk(response, writer.message(json, route.resume.idOf(next.value)));
    }
    open();
    if (takesTrailers(request)) addTrailers(response, context.touchedTrailer());
    (response as ServerResponse).end(writer.end());
  } catch (thrown) {
    const error = toConnectError(thrown, context.signal);
    if (!response.headersSent) throw error;
    if (isServerFault(error)) options.onError(thrown);
    if (!response.destroyed) {
      if (takesTrailers(request)) addTrailers(response, context.touchedTrailer());
      (response as ServerResponse).end(writer.error(statusJson(error, route.fieldNames, options)) + writer.close());
    }
  } finally {
    clearInterval(heartbeat);
    // Not awaited: an implementation that hangs must not keep the response open.
    messages.return?.().catch(() => undefined);
  }
}

/** The error as the last element of a stream. */
function statusJson(error: ConnectError, names: FieldNames, { errors, onError }: StreamOptions): string {
  try {
    return JSON.stringify(errorBody(withFieldNames(error, names), { ...errors, format: "status" }).json);
  } catch (unwritable) {
    onError(unwritable);
    return internalError;
  }
}

/**
 * Writes a stream of HttpBody messages as one body, in constant memory. The first message provides the content type.
 *
 * An error before the first message is thrown. A later one closes the connection, the only way to signal an incomplete
 * raw body.
 */
export async function writeRawStream(
  request: Request,
  response: Response,
  route: PreparedRoute,
  messages: AsyncIterator<Message>,
  context: Call,
  options: StreamOptions,
): Promise<void> {
  try {
    for (;;) {
      const next = await messages.next();
      const body = next.done === true ? undefined : httpBodyOf(next.value, route.responseBody);
      if (!response.headersSent) {
        const headers: OutgoingHttpHeaders = { "x-content-type-options": "nosniff" };
        copyMetadata(context.touchedHeader(), headers);
        headers["cache-control"] ??= "no-store";
        headers["content-type"] = contentTypeOf(body);
        writeHead(response, 200, headers);
      }
      if (next.done === true) break;
      if (body !== undefined && body.data.length > 0) await writeChunk(response, body.data);
    }
    if (takesTrailers(request)) addTrailers(response, context.touchedTrailer());
    response.end();
  } catch (thrown) {
    const error = toConnectError(thrown, context.signal);
    if (!response.headersSent) throw error;
    if (isServerFault(error)) options.onError(thrown);
    response.destroy();
  } finally {
    // Not awaited: an implementation that hangs must not keep the response open.
    messages.return?.().catch(() => undefined);
  }
}
