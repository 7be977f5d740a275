import { Code, ConnectError, type ContextValues, type Interceptor } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { codeName } from "../call/code-name.ts";
import { requestIdKey } from "../context-values.ts";
import { databaseFailure } from "../db/outward-error.ts";
import { internal } from "../errors.ts";

/** What decides how a failure reads to the caller, besides the failure itself. */
interface FailedCall {
  readonly signal: AbortSignal;
  readonly contextValues: ContextValues;
}

/** Everything that is thrown inside becomes what `toOutward` says, also in the middle of a stream. */
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
 * The error that the caller gets for `error`. It always carries an ErrorInfo.
 *
 * - A ConnectError passes, except those that say nothing to this caller: UNKNOWN, INTERNAL and DATA_LOSS, and a
 *   refusal that one of our services met at another one (the caller's own credential was good). They are INTERNAL.
 * - Of a call that is over, anything else is the reason why it is over: DEADLINE_EXCEEDED or CANCELLED.
 * - A database that is away or too busy is UNAVAILABLE or ABORTED; see `databaseFailure`.
 * - The rest is a bug of ours: INTERNAL, with only the request id in it and the whole story in `cause`.
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

/** The same error with an ErrorInfo whose reason is the code's name, where the one who made it left it out. */
export function withErrorInfo(error: ConnectError): ConnectError {
  if (error.findDetails(ErrorInfoSchema).length > 0) {
    return error;
  }
  const complete = new ConnectError(error.rawMessage, error.code, error.metadata, undefined, error.cause);
  const info = { desc: ErrorInfoSchema, value: { reason: codeName(error.code), domain: "docket" } };
  complete.details = [info, ...error.details];
  return complete;
}
