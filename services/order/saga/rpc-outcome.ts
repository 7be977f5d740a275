import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, PreconditionFailureSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { reasonOf } from "../../runtime/errors.ts";
import type { Shortage } from "../domain/order.ts";

/** Codes that repeating the call cannot change. Other errors are thrown, for the saga to retry. */
const final: ReadonlySet<Code> = new Set([
  Code.InvalidArgument,
  Code.FailedPrecondition,
  Code.NotFound,
  Code.AlreadyExists,
  Code.OutOfRange,
  Code.PermissionDenied,
  Code.Unimplemented,
]);

/** A permanent rejection by another service. */
export interface Refusal {
  readonly error: ConnectError;
  /** From its ErrorInfo; the code's name if there is none. */
  readonly reason: string;
  readonly message: string;
}

/** Makes the call and returns its response or the rejection. Throws if the outcome is unknown or may change. */
export async function rejectionOr<T>(call: Promise<T>): Promise<{ answer: T } | { refusal: Refusal }> {
  try {
    return { answer: await call };
  } catch (error) {
    if (!(error instanceof ConnectError) || !final.has(error.code)) {
      throw error;
    }
    return { refusal: { error, reason: reasonOf(error) ?? Code[error.code], message: error.rawMessage } };
  }
}

/** The SKUs of an OUT_OF_STOCK error. */
export function shortagesOf(error: ConnectError): Shortage[] {
  const violations = error.findDetails(PreconditionFailureSchema).flatMap((detail) => detail.violations);
  const named = violations.flatMap(({ subject, description }) => {
    const sku = /^items\/(.+)$/.exec(subject)?.[1];
    const [, wanted, available] = /^wanted (\d+), available (\d+)/.exec(description) ?? [];
    return sku && wanted && available ? [{ sku, wanted, available }] : [];
  });
  if (named.length > 0) {
    return named;
  }
  const { sku = "", wanted = "", available = "" } = error.findDetails(ErrorInfoSchema)[0]?.metadata ?? {};
  return [{ sku, wanted, available }];
}
