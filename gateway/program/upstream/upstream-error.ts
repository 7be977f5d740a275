import { fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { type ServiceError, status } from "@grpc/grpc-js";
import { StatusSchema } from "../../../gen/google/rpc/status_pb.js";
import { abortReason, gatewayError, invalidRequest } from "../../errors.ts";
import { headersOf } from "./metadata.ts";

/** Errors that grpc-js reports itself, with addresses in them, when no server has responded. */
const connectionTrouble =
  /No connection established|Name resolution|ECONN|ENOTFOUND|EHOSTUNREACH|ETIMEDOUT|EPIPE|Connection dropped|Write (error|failed)|Received HTTP status|socket hang up|Failed to connect|GOAWAY|Channel|TLS|certificate/i;

/** grpc-js's message for an aborted call: a reset stream, or a connection closed by the server or the network. */
const cutShort =
  /^(Call cancelled|Bandwidth exhausted or memory limit exceeded|Protocol not secure enough|Received RST_STREAM with code \d+ triggered by internal client error.*)$/;

/** grpc-js's message for a call that the server ended without a status. */
const brokenOff = /^(Received RST_STREAM with code|No status information received|The server ended the call without)/;

/** grpc-js's message for an exceeded deadline, which contains the server's address. */
const timedOut = /^Deadline exceeded after/;

function isTrouble({ code, details }: ServiceError): boolean {
  return cutShort.test(details) || (code === status.UNAVAILABLE && connectionTrouble.test(details));
}

/** The message exposed to clients, without any text of grpc-js's own. */
function messageOf({ details }: ServiceError): string {
  if (brokenOff.test(details)) return "the upstream broke off the call";
  return timedOut.test(details) ? "the operation timed out" : details;
}

/**
 * Converts an upstream error to the error returned to the client, with its code, message, details and metadata.
 * Connection failures are reported without their reason. A ConnectError is returned unchanged, and a call cancelled
 * because `signal` aborted gets the signal's reason.
 */
export function upstreamError(thrown: unknown, signal?: AbortSignal): ConnectError {
  if (thrown instanceof ConnectError) return thrown;
  if (!isServiceError(thrown)) {
    return gatewayError({ code: Code.Internal, reason: "INTERNAL", message: "internal error", cause: thrown });
  }
  if (signal?.aborted === true && thrown.code === status.CANCELLED) return abortReason(signal);
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
      // Unreadable details are dropped; the code and the message are kept.
    }
  }
  return error;
}

/** The error of a request that cannot be encoded, such as a proto2 message without a required field. */
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
