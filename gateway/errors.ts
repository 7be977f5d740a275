import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema } from "../gen/google/rpc/error_details_pb.js";
import { codeName } from "./call/code-name.ts";
import { errorWithInfo } from "./call/error-with-info.ts";
import { boundedViolations } from "./call/violations.ts";
import { ElementLimitError } from "./codec/element-limit.ts";

/**
 * One violation of a request: the path of the field as in the REST request ("" for the whole request) and its
 * description.
 */
export interface Violation {
  readonly field: string;
  readonly description: string;
}

/** The content of an error raised by the gateway itself. */
export interface GatewayErrorInit {
  readonly code: Code;
  /** UPPER_SNAKE, for `ErrorInfo.reason`. */
  readonly reason: string;
  readonly message: string;
  /**
   * Overrides the HTTP status that http.proto assigns to the code: 405, 413, 415 and others have no code of their own.
   */
  readonly httpStatus?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly violations?: readonly Violation[];
  readonly cause?: unknown;
}

/** `ErrorInfo.domain` of the gateway's own errors, replaced by the configured one when the response is written. */
export const gatewayDomain = "gateway";

const overrides = new WeakMap<ConnectError, { httpStatus: number | undefined }>();

/** Creates an error of the gateway: always with an ErrorInfo, and with a BadRequest if there are violations. */
export function gatewayError(init: GatewayErrorInit): ConnectError {
  const { violations, httpStatus, ...rest } = init;
  const details =
    violations === undefined ? [] : [{ desc: BadRequestSchema, value: { fieldViolations: [...violations] } }];
  const error = errorWithInfo({ ...rest, domain: gatewayDomain, details });
  overrides.set(error, { httpStatus });
  return error;
}

/** True for an error created by {@link gatewayError}. */
export function isGatewayError(error: ConnectError): boolean {
  return overrides.has(error);
}

/**
 * Converts an error of the gateway to its RPC form: its details apply to REST only, and HTTP/2 forbids `Connection`.
 * Other errors are returned unchanged.
 */
export function withoutDetails(error: ConnectError): ConnectError {
  if (!isGatewayError(error)) return error;
  const plain = new ConnectError(error.rawMessage, error.code, error.metadata);
  plain.metadata.delete("connection");
  return plain;
}

/** The request is invalid for its method: 400 with every violation, up to {@link maxViolations}. */
export function invalidRequest(all: readonly Violation[], reason = "INVALID_REQUEST"): ConnectError {
  const violations = boundedViolations(all);
  const first = violations[0];
  const message = first === undefined ? "invalid request" : describeViolation(first);
  return gatewayError({
    code: Code.InvalidArgument,
    reason,
    message: all.length > 1 ? `${message} (and ${all.length - 1} more)` : message,
    violations,
  });
}

function describeViolation({ field, description }: Violation): string {
  return field === "" ? description : `${field}: ${description}`;
}

const statuses: Readonly<Record<Code, number>> = {
  [Code.Canceled]: 499,
  [Code.Unknown]: 500,
  [Code.InvalidArgument]: 400,
  [Code.DeadlineExceeded]: 504,
  [Code.NotFound]: 404,
  [Code.AlreadyExists]: 409,
  [Code.PermissionDenied]: 403,
  [Code.ResourceExhausted]: 429,
  [Code.FailedPrecondition]: 400,
  [Code.Aborted]: 409,
  [Code.OutOfRange]: 400,
  [Code.Unimplemented]: 501,
  [Code.Internal]: 500,
  [Code.Unavailable]: 503,
  [Code.DataLoss]: 500,
  [Code.Unauthenticated]: 401,
};

/** The HTTP status of an error: the one set by the gateway, else that of `google/rpc/code.proto`. */
export function httpStatusOf(error: ConnectError): number {
  return overrides.get(error)?.httpStatus ?? statuses[error.code] ?? 500;
}

/**
 * Converts any thrown value to a ConnectError that is safe to expose. A value that is not a ConnectError becomes
 * INTERNAL without any of the original text; if `signal` was aborted with a ConnectError (deadline, disconnect), that
 * error is returned instead.
 */
export function toConnectError(thrown: unknown, signal?: AbortSignal): ConnectError {
  if (thrown instanceof ConnectError) return thrown;
  if (thrown instanceof ElementLimitError) return tooManyElements(thrown);
  if (signal?.aborted === true) return abortReason(signal);
  return gatewayError({ code: Code.Internal, reason: "INTERNAL", message: "internal error", cause: thrown });
}

/** The request costs more to decode than its size suggests: 413. */
export function tooManyElements({ message }: ElementLimitError): ConnectError {
  return gatewayError({
    code: Code.ResourceExhausted,
    reason: "TOO_MANY_ELEMENTS",
    message,
    httpStatus: 413,
  });
}

/** True for a fault of the server, which operators need to see: an error that no code returned deliberately. */
export function isServerFault(error: ConnectError): boolean {
  return error.code === Code.Internal || error.code === Code.Unknown;
}

/** The abort reason of a signal, as an error of the gateway. */
export function abortReason(signal: AbortSignal): ConnectError {
  const cause: unknown = signal.reason;
  if (!(cause instanceof ConnectError)) {
    return gatewayError({ code: Code.Canceled, reason: "CANCELLED", message: "the call was cancelled", cause });
  }
  if (cause.details.length > 0) return cause;
  return gatewayError({ code: cause.code, reason: codeName(cause.code), message: cause.rawMessage, cause });
}
