import { create } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { type ErrorDetail, errorWithInfo } from "../../gateway/call/error-with-info.ts";
import { boundedMessage, boundedViolations, summarize } from "../../gateway/call/violations.ts";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
  QuotaFailureSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.js";

/**
 * The error model of the API: a gRPC code, a sentence, and `google.rpc` details, the first of which is always an
 * `ErrorInfo` of the domain "docket". Clients may branch on its reason; messages may change.
 *
 * Errors are the same on every wire.
 */

const DOMAIN = "docket";

type Metadata = Readonly<Record<string, string>>;

/** An invalid request field. `field` is a path such as `order.lines[2].quantity`. */
export interface FieldViolation {
  field: string;
  description: string;
}

/** A violated precondition. `subject` is the resource name, `type` a word of the service's catalogue. */
export interface PreconditionViolation {
  type: string;
  subject: string;
  description: string;
}

/** An exceeded limit. */
export interface QuotaViolation {
  subject: string;
  description: string;
}

/** Retry information of a temporary error. */
export interface RetryOptions {
  retryAfterMs?: number;
  metadata?: Metadata;
  /** For the log; never exposed. */
  cause?: unknown;
}

/**
 * The request is invalid whatever the state of the system. Lists all violations, up to `maxViolations`; the message
 * counts those that it does not name.
 */
export function invalidArgument(violations: readonly FieldViolation[], reason = "INVALID_FIELD"): ConnectError {
  const fieldViolations = boundedViolations(violations);
  return failure(Code.InvalidArgument, summarize(violations) || "invalid request", reason, {}, [
    { desc: BadRequestSchema, value: create(BadRequestSchema, { fieldViolations }) },
  ]);
}

/**
 * The resource does not exist, or its existence is hidden from the caller. `resourceName` is its full name,
 * `orders/01h…`.
 */
export function notFound(resourceType: string, resourceName: string): ConnectError {
  return failure(Code.NotFound, `${resourceName} does not exist`, "RESOURCE_NOT_FOUND", {}, [
    {
      desc: ResourceInfoSchema,
      value: create(ResourceInfoSchema, { resourceType, resourceName }),
    },
  ]);
}

/** The current state does not allow the request; retrying does not help until the state changes. */
export function failedPrecondition(
  reason: string,
  message: string,
  violations: readonly PreconditionViolation[],
  metadata: Metadata = {},
): ConnectError {
  return failure(Code.FailedPrecondition, message, reason, metadata, [
    {
      desc: PreconditionFailureSchema,
      value: create(PreconditionFailureSchema, {
        violations: boundedViolations(violations),
      }),
    },
  ]);
}

/**
 * The request lost a conflict with a concurrent one: read again and retry. With `retryAfterMs` it may be retried
 * unchanged.
 */
export function aborted(reason: string, message: string, options: RetryOptions = {}): ConnectError {
  const details = retryInfo(options.retryAfterMs);
  return failure(Code.Aborted, message, reason, options.metadata ?? {}, details, options.cause);
}

/** The resource already exists, or the idempotency key was used for another request. */
export function alreadyExists(reason: string, message: string, metadata: Metadata = {}): ConnectError {
  return failure(Code.AlreadyExists, message, reason, metadata, []);
}

/** A limit is exceeded. */
export function resourceExhausted(
  reason: string,
  message: string,
  violations: readonly QuotaViolation[] = [],
  options: RetryOptions = {},
): ConnectError {
  const quota: ErrorDetail = {
    desc: QuotaFailureSchema,
    value: create(QuotaFailureSchema, {
      violations: boundedViolations(violations),
    }),
  };
  return failure(Code.ResourceExhausted, message, reason, options.metadata ?? {}, [
    quota,
    ...retryInfo(options.retryAfterMs),
  ]);
}

/** A dependency is unavailable; nothing was changed. */
export function unavailable(reason: string, message: string, options: RetryOptions = {}): ConnectError {
  const details = retryInfo(options.retryAfterMs ?? 1000);
  return failure(Code.Unavailable, message, reason, options.metadata ?? {}, details, options.cause);
}

/** The request exceeded its time limit. Nothing was changed. */
export function deadlineExceeded(
  reason: string,
  message: string,
  options: Pick<RetryOptions, "cause"> = {},
): ConnectError {
  return failure(Code.DeadlineExceeded, message, reason, {}, [], options.cause);
}

/** The request may or may not have taken effect. It must not be retried without an idempotency key. */
export function outcomeUnknown(cause: unknown): ConnectError {
  const message =
    "the outcome is unknown: check the resource before repeating the request, or repeat it with its idempotency key";
  return failure(Code.Unknown, message, "OUTCOME_UNKNOWN", {}, [], cause);
}

/**
 * The caller is authenticated but not authorized. Names the missing scopes and nothing of the resource, not even
 * whether it exists.
 *
 * @param needs Whether `one` of the scopes suffices or `all` are required. Without scopes, no credential is allowed.
 */
export function permissionDenied(scopes: readonly string[] = [], needs: "one" | "all" = "one"): ConnectError {
  const message =
    scopes.length === 0
      ? "the credential does not allow this method"
      : `the credential lacks the scope ${scopes.join(needs === "one" ? " or " : " and ")}`;
  const metadata: Metadata = scopes.length === 0 ? {} : { missing_scopes: scopes.join(",") };
  return failure(Code.PermissionDenied, message, "PERMISSION_DENIED", metadata, []);
}

/** The credential is missing, invalid, expired or revoked; the error does not reveal which. */
export function unauthenticated(): ConnectError {
  return failure(Code.Unauthenticated, "a valid credential is required", "UNAUTHENTICATED", {}, []);
}

/** The credential of a running call was revoked or has expired. */
export function credentialEnded(): ConnectError {
  const message = "the credential was revoked or has expired; call again with a valid one";
  return failure(Code.Unauthenticated, message, "CREDENTIAL_ENDED", {}, []);
}

/** A rate limit is exceeded. `subject` is what is counted; `description` states the limit. */
export function rateLimited(subject: string, description: string, retryAfterMs: number): ConnectError {
  return tryLater("RATE_LIMITED", `too many requests: ${description}`, { subject, description }, retryAfterMs);
}

/** Too many failed authentications from one address. */
export function tooManyFailedAuthentications(address: string, retryAfterMs: number): ConnectError {
  const description = "too many failed authentications from this address; try again later";
  return tryLater("TOO_MANY_FAILED_AUTHENTICATIONS", description, { subject: address, description }, retryAfterMs);
}

/** A rate limit is exceeded. The error also carries the header `Retry-After`, for clients that ignore details. */
function tryLater(reason: string, message: string, violation: QuotaViolation, retryAfterMs: number): ConnectError {
  const error = resourceExhausted(reason, message, [violation], { retryAfterMs });
  error.metadata.set("retry-after", String(Math.max(1, Math.ceil(retryAfterMs / 1000))));
  return error;
}

/** The request was sent too slowly. */
export function requestTooSlow(): ConnectError {
  const message = "the request arrives too slowly; send it faster or in smaller messages";
  return failure(Code.DeadlineExceeded, message, "REQUEST_TOO_SLOW", {}, []);
}

/** The method is declared but not implemented. `method` is its full name, `docket.order.v1.OrderService/GetOrder`. */
export function unimplemented(method: string): ConnectError {
  return failure(Code.Unimplemented, `${method} is not implemented`, "METHOD_NOT_IMPLEMENTED", { method }, []);
}

/** An internal error. Only the request id is exposed; the cause is for the log. */
export function internal(requestId: string, cause: unknown): ConnectError {
  return failure(Code.Internal, "internal error", "INTERNAL", { request_id: requestId }, [], cause);
}

/** The `ErrorInfo` reason of one of Docket's errors, local or received; undefined for other errors. */
export function reasonOf(error: unknown): string | undefined {
  return error instanceof ConnectError ? error.findDetails(ErrorInfoSchema)[0]?.reason : undefined;
}

function retryInfo(retryAfterMs: number | undefined): ErrorDetail[] {
  if (retryAfterMs === undefined) {
    return [];
  }
  const wholeMs = Math.max(0, Math.ceil(retryAfterMs));
  const retryDelay = create(DurationSchema, {
    seconds: BigInt(Math.floor(wholeMs / 1000)),
    nanos: (wholeMs % 1000) * 1_000_000,
  });
  return [{ desc: RetryInfoSchema, value: create(RetryInfoSchema, { retryDelay }) }];
}

function failure(
  code: Code,
  message: string,
  reason: string,
  metadata: Metadata,
  details: ErrorDetail[],
  cause?: unknown,
): ConnectError {
  return errorWithInfo({ code, message: boundedMessage(message), reason, domain: DOMAIN, metadata, details, cause });
}
