import type { DescMessage, Message } from "@bufbuild/protobuf";
import { ConnectError, type Interceptor, type MethodImplSpec } from "@connectrpc/connect";
import { type BinaryRead, binaryReader } from "../../../gateway/codec/binary-reader.ts";
import { type BinaryWrite, binaryWriter } from "../../../gateway/codec/binary-writer.ts";
import { ElementLimitError } from "../../../gateway/codec/element-limit.ts";
import type { InFlight } from "../call/in-flight.ts";
import { invalidArgument, resourceExhausted } from "../errors.ts";
import type { Logger } from "../telemetry/log.ts";
import type { GrpcCalls } from "./admission.ts";

export interface GrpcHandlerOptions {
  readonly interceptors: readonly Interceptor[];
  readonly log: Logger;
  /** Registers calls while they last. */
  readonly inFlight: InFlight;
  /** Begins calls. */
  readonly calls: GrpcCalls;
  /** Request messages with more elements are RESOURCE_EXHAUSTED. */
  readonly maxRequestElements: number;
  /** Idle timeout of a stream, without a message in either direction. */
  readonly idleMs: number;
  /** Whether rejected messages carry `google.rpc` details. */
  readonly detailedRefusals: boolean;
}

/** A method on the gRPC port: its implementation, its codecs, and the limits. */
export interface ServedMethod extends GrpcHandlerOptions {
  readonly spec: MethodImplSpec;
  readonly read: BinaryRead;
  readonly write: BinaryWrite;
}

export function createServedMethod(spec: MethodImplSpec, options: GrpcHandlerOptions): ServedMethod {
  return {
    ...options,
    spec,
    read: binaryReader(spec.method.input, { maxElements: options.maxRequestElements }),
    write: binaryWriter(spec.method.output),
  };
}

/** @throws ConnectError INVALID_ARGUMENT for a malformed request, RESOURCE_EXHAUSTED for one with too many elements */
export function decode(bytes: Buffer, { read, spec, detailedRefusals }: ServedMethod): Message {
  try {
    return read(bytes);
  } catch (error) {
    const refused = undecodable(spec.method.input, error);
    throw detailedRefusals ? refused : new ConnectError(refused.rawMessage, refused.code);
  }
}

function undecodable({ typeName }: DescMessage, cause: unknown): ConnectError {
  if (cause instanceof ElementLimitError) {
    return resourceExhausted("TOO_MANY_ELEMENTS", cause.message, [{ subject: "request", description: cause.message }]);
  }
  const description = `not a valid ${typeName}: ${cause instanceof Error ? cause.message : cause}`;
  return invalidArgument([{ field: "", description }], "MALFORMED_MESSAGE");
}

export function encode(message: Message, { write }: ServedMethod): Buffer {
  const bytes = write(message);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
