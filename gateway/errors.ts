import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema } from "../gen/google/rpc/error_details_pb.js";
import { ElementLimitError } from "./codec/element-limit.ts";

/** One thing wrong with a request: the path of the field as the REST request has it, "" for the whole, and what is wrong. */
export interface Violation {
  readonly field: string;
  readonly description: string;
}

/** What an error that the gateway itself raises says beside its code. */
export interface GatewayErrorInit {
  readonly code: Code;
  /** UPPER_SNAKE, for `ErrorInfo.reason`. */
  readonly reason: string;
  readonly message: string;
  /** Overrides http.proto's status of the code: 405, 413, 415 and such have no code of their own. */
  readonly httpStatus?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly violations?: readonly Violation[];
  readonly cause?: unknown;
}

/** `ErrorInfo.domain` of the gateway's own errors until the answer is written, where the configured one replaces it. */
export const gatewayDomain = "gateway";

const overrides = new WeakMap<ConnectError, { httpStatus: number | undefined }>();

/** Makes an error of the gateway: always with an ErrorInfo, and with a BadRequest where there are violations. */
export function gatewayError(init: GatewayErrorInit): ConnectError {
  const error = new ConnectError(
    init.message,
    init.code,
    init.headers,
    [
      {
        desc: ErrorInfoSchema,
        value: create(ErrorInfoSchema, {
          reason: init.reason,
          domain: gatewayDomain,
          metadata: { ...init.metadata },
        }),
      },
      ...(init.violations === undefined
        ? []
        : [{ desc: BadRequestSchema, value: { fieldViolations: [...init.violations] } }]),
    ],
    init.cause,
  );
  overrides.set(error, { httpStatus: init.httpStatus });
  return error;
}

/** True for an error that {@link gatewayError} made. */
export function isGatewayError(error: ConnectError): boolean {
  return overrides.has(error);
}

/** An error of the gateway as RPC has it: its details are of REST, and HTTP/2 forbids `Connection`. Any other error as it is. */
export function withoutDetails(error: ConnectError): ConnectError {
  if (!isGatewayError(error)) return error;
  const plain = new ConnectError(error.rawMessage, error.code, error.metadata);
  plain.metadata.delete("connection");
  return plain;
}

/** How many violations are told at most: a body of nonsense must not be answered with more of it. */
export const maxViolations = 100;
/** How much is told of the names and values that a request brought, in characters. */
const maxTextLength = 400;

/** The request does not fit its method: 400 with every violation, up to {@link maxViolations}. */
export function invalidRequest(all: readonly Violation[], reason = "INVALID_REQUEST"): ConnectError {
  const violations = all
    .slice(0, maxViolations)
    .map(({ field, description }) => ({ field: shorten(field), description: shorten(description) }));
  const first = violations[0];
  const message = first === undefined ? "invalid request" : describeViolation(first);
  return gatewayError({
    code: Code.InvalidArgument,
    reason,
    message: all.length > 1 ? `${message} (and ${all.length - 1} more)` : message,
    violations,
  });
}

function shorten(text: string): string {
  return text.length <= maxTextLength ? text : `${text.slice(0, maxTextLength).toWellFormed()}…`;
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

/** The HTTP status of an error: its own where the gateway set one, else that of `google/rpc/code.proto`. */
export function httpStatusOf(error: ConnectError): number {
  return overrides.get(error)?.httpStatus ?? statuses[error.code] ?? 500;
}

const codeNames: Readonly<Record<Code, string>> = {
  [Code.Canceled]: "CANCELLED",
  [Code.Unknown]: "UNKNOWN",
  [Code.InvalidArgument]: "INVALID_ARGUMENT",
  [Code.DeadlineExceeded]: "DEADLINE_EXCEEDED",
  [Code.NotFound]: "NOT_FOUND",
  [Code.AlreadyExists]: "ALREADY_EXISTS",
  [Code.PermissionDenied]: "PERMISSION_DENIED",
  [Code.ResourceExhausted]: "RESOURCE_EXHAUSTED",
  [Code.FailedPrecondition]: "FAILED_PRECONDITION",
  [Code.Aborted]: "ABORTED",
  [Code.OutOfRange]: "OUT_OF_RANGE",
  [Code.Unimplemented]: "UNIMPLEMENTED",
  [Code.Internal]: "INTERNAL",
  [Code.Unavailable]: "UNAVAILABLE",
  [Code.DataLoss]: "DATA_LOSS",
  [Code.Unauthenticated]: "UNAUTHENTICATED",
};

/** The name of a code as `google/rpc/code.proto` spells it. */
export function codeName(code: Code): string {
  return codeNames[code] ?? "UNKNOWN";
}

/**
 * Whatever was thrown, as a ConnectError that may be shown. What is not one already becomes INTERNAL with no word of
 * the original; except where `signal` was aborted with a ConnectError (deadline, disconnect), which then is the reason.
 */
export function toConnectError(thrown: unknown, signal?: AbortSignal): ConnectError {
  if (thrown instanceof ConnectError) return thrown;
  if (thrown instanceof ElementLimitError) return tooManyElements(thrown);
  if (signal?.aborted === true) return abortReason(signal);
  return gatewayError({ code: Code.Internal, reason: "INTERNAL", message: "internal error", cause: thrown });
}

/** The request costs more to decode than its bytes say: 413. */
export function tooManyElements({ message }: ElementLimitError): ConnectError {
  return gatewayError({
    code: Code.ResourceExhausted,
    reason: "TOO_MANY_ELEMENTS",
    message,
    httpStatus: 413,
  });
}

/** True for an error that the operator has to hear of: nobody meant to answer it. */
export function isServerFault(error: ConnectError): boolean {
  return error.code === Code.Internal || error.code === Code.Unknown;
}

/** Why a signal aborted, as an error of the gateway. */
export function abortReason(signal: AbortSignal): ConnectError {
  const cause: unknown = signal.reason;
  if (!(cause instanceof ConnectError)) {
    return gatewayError({ code: Code.Canceled, reason: "CANCELLED", message: "the call was cancelled", cause });
  }
  if (cause.details.length > 0) return cause;
  return gatewayError({ code: cause.code, reason: codeName(cause.code), message: cause.rawMessage, cause });
}
