import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { type Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";

/** A `google.rpc` detail of an error. */
export interface ErrorDetail {
  readonly desc: DescMessage;
  readonly value: MessageInitShape<DescMessage>;
}

export interface ErrorWithInfoInit {
  readonly code: Code;
  readonly message: string;
  /** UPPER_SNAKE, unique within the domain. */
  readonly reason: string;
  readonly domain: string;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Details after the ErrorInfo. */
  readonly details?: readonly ErrorDetail[];
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** For the log; never exposed. */
  readonly cause?: unknown;
}

/** Creates an error whose first detail is an `ErrorInfo` (AIP-193). */
export function errorWithInfo(init: ErrorWithInfoInit): ConnectError {
  const { code, message, reason, domain, metadata, details = [], headers, cause } = init;
  const info = create(ErrorInfoSchema, { reason, domain, metadata: { ...metadata } });
  return new ConnectError(message, code, headers, [{ desc: ErrorInfoSchema, value: info }, ...details], cause);
}
