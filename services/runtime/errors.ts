import { create } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
  QuotaFailureSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.js";
import { boundedMessage, boundedViolations, summarize } from "./violations.ts";

/**
 * Errors as callers see them: a gRPC code, a sentence, and `google.rpc` details of which the first is always
 * an `ErrorInfo` of the domain "docket". Its reason is what programs may branch on; messages may change.
 * The same error reads the same on every wire.
 */

const DOMAIN = "docket";

type Metadata = Readonly<Record<string, string>>;
type Detail = NonNullable<ConstructorParameters<typeof ConnectError>[3]>[number];

/** One field of a request that is not as it must be. `field` is a path such as `order.lines[2].quantity`. */
export interface FieldViolation {
  field: string;
  description: string;
}

/** One condition that does not hold. `subject` is the name of the resource, `type` a word of the service's catalogue. */
export interface PreconditionViolation {
  type: string;
  subject: string;
  description: string;
}

/** One limit that is reached. */
export interface QuotaViolation {
  subject: string;
  description: string;
}

/** How an error that may pass by itself tells when to try again. */
export interface RetryOptions {
  retryAfterMs?: number;
  metadata?: Metadata;
  /** For the log; it never leaves the process. */
  cause?: unknown;
}

/**
 * The request is wrong whatever the state of the system is. Lists all violations at once, up to `maxViolations`; the
 * message says how many more there are than it names.
 */
export function invalidArgument(violations: readonly FieldViolation[], reason = "INVALID_FIELD"): ConnectError {
  const fieldViolations = boundedViolations(violations);
  return failure(Code.InvalidArgument, summarize(violations) || "invalid request", reason, {}, [
    { desc: BadRequestSchema, value: create(BadRequestSchema, { fieldViolations }) },
  ]);
}

/** There is no such resource, or the caller may not know that there is. `resourceName` is its full name, `orders/01h…`. */
export function notFound(resourceType: string, resourceName: string): ConnectError {
  return failure(Code.NotFound, `${resourceName} does not exist`, "RESOURCE_NOT_FOUND", {}, [
    {
      desc: ResourceInfoSchema,
      value: create(ResourceInfoSchema, { resourceType, resourceName }),
    },
  ]);
}

/** The request is right but the state of the system does not allow it; repeating it changes nothing until the state does. */
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

/** The request lost against another one: read again and repeat. With `retryAfterMs` it may be repeated as it is. */
export function aborted(reason: string, message: string, options: RetryOptions = {}): ConnectError {
  const details = retryInfo(options.retryAfterMs);
  return failure(Code.Aborted, message, reason, options.metadata ?? {}, details, options.cause);
}

/** What should be created exists, or a key was used for something else. */
export function alreadyExists(reason: string, message: string, metadata: Metadata = {}): ConnectError {
  return failure(Code.AlreadyExists, message, reason, metadata, []);
}

/** A limit is reached. */
export function resourceExhausted(
  reason: string,
  message: string,
  violations: readonly QuotaViolation[] = [],
  options: RetryOptions = {},
): ConnectError {
  const quota: Detail = {
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

/** Something that the request needs does not answer now; nothing was changed. */
export function unavailable(reason: string, message: string, options: RetryOptions = {}): ConnectError {
  const details = retryInfo(options.retryAfterMs ?? 1000);
  return failure(Code.Unavailable, message, reason, options.metadata ?? {}, details, options.cause);
}

/** The request takes more time than it may. Nothing was changed. */
export function deadlineExceeded(
  reason: string,
  message: string,
  options: Pick<RetryOptions, "cause"> = {},
): ConnectError {
  return failure(Code.DeadlineExceeded, message, reason, {}, [], options.cause);
}

/** Nobody knows whether the request had its effect: it must not simply be repeated without an idempotency key. */
export function outcomeUnknown(cause: unknown): ConnectError {
  const message = "the outcome is unknown: look before you repeat the request, or repeat it with its idempotency key";
  return failure(Code.Unknown, message, "OUTCOME_UNKNOWN", {}, [], cause);
}

/**
 * The caller is known and may not do this. Names the scopes that the credential lacks and nothing of the resource, not
 * even whether it exists.
 *
 * @param needs `one` of the scopes suffices, or `all` of them are needed. No scopes: no credential is allowed this.
 */
export function permissionDenied(scopes: readonly string[] = [], needs: "one" | "all" = "one"): ConnectError {
  const message =
    scopes.length === 0
      ? "the credential does not allow this method"
      : `the credential lacks the scope ${scopes.join(needs === "one" ? " or " : " and ")}`;
  const metadata: Metadata = scopes.length === 0 ? {} : { missing_scopes: scopes.join(",") };
  return failure(Code.PermissionDenied, message, "PERMISSION_DENIED", metadata, []);
}

/** There is no credential, or it is wrong, expired or revoked; which of these is not told. */
export function unauthenticated(): ConnectError {
  return failure(Code.Unauthenticated, "a valid credential is required", "UNAUTHENTICATED", {}, []);
}

/** The credential of a call that is still running was revoked or has expired. */
export function credentialEnded(): ConnectError {
  const message = "the credential was revoked or has expired; call again with a valid one";
  return failure(Code.Unauthenticated, message, "CREDENTIAL_ENDED", {}, []);
}

/** The caller has used up a limit. `subject` is what is counted; `description` says how much of it there may be. */
export function rateLimited(subject: string, description: string, retryAfterMs: number): ConnectError {
  return tryLater("RATE_LIMITED", `too many requests: ${description}`, { subject, description }, retryAfterMs);
}

/** Too many credentials that came from one address were wrong. */
export function tooManyFailedAuthentications(address: string, retryAfterMs: number): ConnectError {
  const description = "too many credentials from this address were wrong; try again later";
  return tryLater("TOO_MANY_FAILED_AUTHENTICATIONS", description, { subject: address, description }, retryAfterMs);
}

/** A limit over time is reached. The error also carries the header `Retry-After`, for clients that read no details. */
function tryLater(reason: string, message: string, violation: QuotaViolation, retryAfterMs: number): ConnectError {
  const error = resourceExhausted(reason, message, [violation], { retryAfterMs });
  error.metadata.set("retry-after", String(Math.max(1, Math.ceil(retryAfterMs / 1000))));
  return error;
}

/** The request does not arrive in time. */
export function requestTooSlow(): ConnectError {
  const message = "the request arrives too slowly; send it faster or in smaller messages";
  return failure(Code.DeadlineExceeded, message, "REQUEST_TOO_SLOW", {}, []);
}

/** The method is part of the contract and not built yet. `method` is its full name, `docket.order.v1.OrderService/GetOrder`. */
export function unimplemented(method: string): ConnectError {
  return failure(Code.Unimplemented, `${method} is not implemented`, "METHOD_NOT_IMPLEMENTED", { method }, []);
}

/** A bug of ours. Outward there is only the request id; the cause is for the log and never leaves the process. */
export function internal(requestId: string, cause: unknown): ConnectError {
  return failure(Code.Internal, "internal error", "INTERNAL", { request_id: requestId }, [], cause);
}

/** The reason of an error of ours, also of one that came over a wire; undefined where there is none. */
export function reasonOf(error: unknown): string | undefined {
  return error instanceof ConnectError ? error.findDetails(ErrorInfoSchema)[0]?.reason : undefined;
}

function retryInfo(retryAfterMs: number | undefined): Detail[] {
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
  details: Detail[],
  cause?: unknown,
): ConnectError {
  const info: Detail = {
    desc: ErrorInfoSchema,
    value: create(ErrorInfoSchema, {
      reason,
      domain: DOMAIN,
      metadata: { ...metadata },
    }),
  };
  return new ConnectError(boundedMessage(message), code, undefined, [info, ...details], cause);
}
