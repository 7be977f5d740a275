import { Code, ConnectError } from "@connectrpc/connect";
import {
  type BadRequest_FieldViolation,
  BadRequestSchema,
  ErrorInfoSchema,
  type PreconditionFailure_Violation,
  PreconditionFailureSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.js";

/** The gRPC code name of an error, which REST uses as well. */
export type ErrorCode =
  | "CANCELLED"
  | "UNKNOWN"
  | "INVALID_ARGUMENT"
  | "DEADLINE_EXCEEDED"
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "PERMISSION_DENIED"
  | "RESOURCE_EXHAUSTED"
  | "FAILED_PRECONDITION"
  | "ABORTED"
  | "OUT_OF_RANGE"
  | "UNIMPLEMENTED"
  | "INTERNAL"
  | "UNAVAILABLE"
  | "DATA_LOSS"
  | "UNAUTHENTICATED";

const codes: Readonly<Record<Code, ErrorCode>> = {
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

/** The error of every failed call. `message` is for people; programs should branch on `code` and `reason`. */
export class DocketError extends Error {
  override readonly name = "DocketError";
  readonly code: ErrorCode;
  /** The reason: `OUT_OF_STOCK`, `IDEMPOTENCY_KEY_REUSED`, …; empty if the server was not reached. */
  readonly reason: string;
  /** Further details, for example `sku`, `wanted` and `available` of `OUT_OF_STOCK`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Violations of the request, by field. */
  readonly fieldViolations: readonly Pick<BadRequest_FieldViolation, "field" | "description">[];
  /** Preconditions that are not met. */
  readonly preconditionViolations: readonly Pick<PreconditionFailure_Violation, "type" | "subject" | "description">[];
  /** The full name of the resource that does not exist. */
  readonly resourceName: string | undefined;
  /** Milliseconds after which the request can be repeated, if the server says so. */
  readonly retryAfterMs: number | undefined;
  /** The request id for support, which identifies the call in the server's log. */
  readonly requestId: string | undefined;

  constructor(error: ConnectError) {
    super(error.rawMessage, { cause: error });
    const info = error.findDetails(ErrorInfoSchema)[0];
    const retry = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
    this.code = isUnreached(error) ? "UNAVAILABLE" : (codes[error.code] ?? "UNKNOWN");
    this.reason = info?.reason ?? "";
    this.metadata = info?.metadata ?? {};
    this.fieldViolations = error.findDetails(BadRequestSchema).flatMap((detail) => detail.fieldViolations);
    this.preconditionViolations = error.findDetails(PreconditionFailureSchema).flatMap((detail) => detail.violations);
    this.resourceName = error.findDetails(ResourceInfoSchema)[0]?.resourceName;
    this.retryAfterMs = retry && Number(retry.seconds) * 1000 + retry.nanos / 1e6;
    this.requestId = error.metadata.get("x-request-id") ?? info?.metadata["request_id"];
  }
}

/**
 * Returns whether there was no response. On network failure `fetch` rejects with a TypeError, which Connect maps to
 * UNKNOWN.
 */
function isUnreached(error: ConnectError): boolean {
  return error.code === Code.Unknown && error.cause instanceof TypeError;
}

/**
 * Converts any error to a `DocketError`. A `DocketError` is returned unchanged; errors not from the API become UNKNOWN.
 */
export function toDocketError(error: unknown): DocketError {
  return error instanceof DocketError ? error : new DocketError(ConnectError.from(error));
}
