import { Code, ConnectError, type ContextValues, type Interceptor } from "@connectrpc/connect";
import { codeName } from "../../../gateway/call/code-name.ts";
import { ErrorInfoSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { requestIdKey } from "../context-values.ts";
import { databaseFailure } from "../db/outward-error.ts";
import { internal } from "../errors.ts";

/** The call's properties that affect how its error is reported. */
interface FailedCall {
  readonly signal: AbortSignal;
  readonly contextValues: ContextValues;
}

/** Maps every error with `toOutward`, also in the middle of a stream. */
export const errorMappingInterceptor: Interceptor = (next) => async (request) => {
  try {
    const response = await next(request);
    return response.stream ? { ...response, message: mapped(response.message, request) } : response;
  } catch (error) {
    throw toOutward(error, request);
  }
};

async function* mapped<T>(messages: AsyncIterable<T>, call: FailedCall): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    throw toOutward(error, call);
  }
}

/**
 * Converts an error to the one reported to the caller. It always carries an ErrorInfo.
 * - A ConnectError passes, except UNKNOWN, INTERNAL and DATA_LOSS, and an authorization error between Docket's services
 *   (the caller's own credential was valid). These become INTERNAL.
 * - After the call has ended, any other error becomes the reason: DEADLINE_EXCEEDED or CANCELLED.
 * - An unreachable or overloaded database is UNAVAILABLE or ABORTED; see `databaseFailure`.
 * - The rest are bugs: INTERNAL with the request id only; the details are in `cause`.
 */
export function toOutward(error: unknown, call: FailedCall): ConnectError {
  if (error instanceof ConnectError) {
    return isOurFault(error) ? internal(call.contextValues.get(requestIdKey), error) : withErrorInfo(error);
  }
  if (call.signal.aborted && call.signal.reason instanceof ConnectError) {
    return withErrorInfo(call.signal.reason);
  }
  return databaseFailure(error) ?? internal(call.contextValues.get(requestIdKey), error);
}

function isOurFault(error: ConnectError): boolean {
  switch (error.code) {
    case Code.Unknown:
    case Code.Internal:
    case Code.DataLoss:
      return true;
    case Code.Unauthenticated:
    case Code.PermissionDenied:
      return error.isWireError;
    default:
      return false;
  }
}

/** Adds an ErrorInfo with the code's name as its reason, if the error has none. */
export function withErrorInfo(error: ConnectError): ConnectError {
  if (error.findDetails(ErrorInfoSchema).length > 0) {
    return error;
  }
  const complete = new ConnectError(error.rawMessage, error.code, error.metadata, undefined, error.cause);
  const info = { desc: ErrorInfoSchema, value: { reason: codeName(error.code), domain: "docket" } };
  complete.details = [info, ...error.details];
  return complete;
}
