import { fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { type ServiceError, status } from "@grpc/grpc-js";
import { StatusSchema } from "../../../gen/google/rpc/status_pb.js";
import { abortReason, gatewayError, invalidRequest } from "../../errors.ts";
import { headersOf } from "./metadata.ts";

/** grpc-js reports these itself, with addresses in them, when no server has spoken. */
const connectionTrouble =
  /No connection established|Name resolution|ECONN|ENOTFOUND|EHOSTUNREACH|ETIMEDOUT|EPIPE|Connection dropped|Write (error|failed)|Received HTTP status|socket hang up|Failed to connect|GOAWAY|Channel|TLS|certificate/i;

/** As grpc-js says of a call that was cut short: by a reset stream, or a connection that the server or the network closed. */
const cutShort =
  /^(Call cancelled|Bandwidth exhausted or memory limit exceeded|Protocol not secure enough|Received RST_STREAM with code \d+ triggered by internal client error.*)$/;

/** As grpc-js says of a call that the server broke off without a status. */
const brokenOff = /^(Received RST_STREAM with code|No status information received|The server ended the call without)/;

/** As grpc-js says of a deadline, with the server's address. */
const timedOut = /^Deadline exceeded after/;

function isTrouble({ code, details }: ServiceError): boolean {
  return cutShort.test(details) || (code === status.UNAVAILABLE && connectionTrouble.test(details));
}

/** What a client may read: nothing of what grpc-js says itself. */
function messageOf({ details }: ServiceError): string {
  if (brokenOff.test(details)) return "the upstream broke off the call";
  return timedOut.test(details) ? "the operation timed out" : details;
}

/**
 * What the upstream answered, as the error to answer: its code, message, details and metadata. Of trouble on the way
 * to the upstream nothing is told but that it is there. What is a ConnectError already stays as it is, and a call that
 * was cancelled because `signal` aborted has the signal's reason.
 */
export function upstreamError(thrown: unknown, signal: AbortSignal): ConnectError {
  if (thrown instanceof ConnectError) return thrown;
  if (!isServiceError(thrown)) {
    return gatewayError({ code: Code.Internal, reason: "INTERNAL", message: "internal error", cause: thrown });
  }
  if (signal.aborted && thrown.code === status.CANCELLED) return abortReason(signal);
  const fromServer = thrown.metadata?.get("grpc-status-details-bin")[0];
  if (fromServer === undefined && isTrouble(thrown)) {
    return gatewayError({
      code: Code.Unavailable,
      reason: "UPSTREAM_UNAVAILABLE",
      message: "the upstream cannot be reached",
      cause: thrown,
    });
  }
  const error = new ConnectError(messageOf(thrown), codeOf(thrown.code), headersOf(thrown.metadata));
  if (Buffer.isBuffer(fromServer)) {
    try {
      error.details = fromBinary(StatusSchema, fromServer).details.map(({ typeUrl, value }) => ({
        type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
        value,
      }));
    } catch {
      // Details that cannot be read are left out; the code and the message stand.
    }
  }
  return error;
}

/** A request that has no binary form, such as one of proto2 without a required field. */
export function unsendable(thrown: unknown): ConnectError {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const match = /^cannot encode field (.+?) to binary: (.+)$/.exec(message);
  return invalidRequest([
    match === null
      ? { field: "", description: "the request has no binary form" }
      : { field: match[1] ?? "", description: match[2] ?? "" },
  ]);
}

function isServiceError(thrown: unknown): thrown is ServiceError {
  return thrown instanceof Error && "code" in thrown && "details" in thrown;
}

function codeOf(code: number): Code {
  return code >= 1 && code <= 16 ? (code as Code) : Code.Unknown;
}
