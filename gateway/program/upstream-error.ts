import { fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { type ServiceError, status } from "@grpc/grpc-js";
import { StatusSchema } from "../../gen/google/rpc/status_pb.js";
import { gatewayError } from "../errors.ts";
import { headersOf } from "./metadata.ts";

/** grpc-js reports these itself, with addresses in them, when no server has spoken. */
const connectionTrouble =
  /No connection established|Name resolution|ECONN|ENOTFOUND|EHOSTUNREACH|ETIMEDOUT|Connection dropped|Failed to connect|GOAWAY|Channel|TLS|certificate/i;

/**
 * What the upstream answered, as the error to answer: its code, message, details and metadata. Of trouble on the way
 * to the upstream nothing is told but that it is there.
 */
export function upstreamError(thrown: unknown): ConnectError {
  if (!isServiceError(thrown)) {
    return gatewayError({ code: Code.Internal, reason: "INTERNAL", message: "internal error", cause: thrown });
  }
  const fromServer = thrown.metadata?.get("grpc-status-details-bin")[0];
  if (fromServer === undefined && thrown.code === status.UNAVAILABLE && connectionTrouble.test(thrown.details)) {
    return gatewayError({
      code: Code.Unavailable,
      reason: "UPSTREAM_UNAVAILABLE",
      message: "the upstream cannot be reached",
      cause: thrown,
    });
  }
  const error = new ConnectError(thrown.details, codeOf(thrown.code), headersOf(thrown.metadata));
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

function isServiceError(thrown: unknown): thrown is ServiceError {
  return thrown instanceof Error && "code" in thrown && "details" in thrown;
}

function codeOf(code: number): Code {
  return code >= 1 && code <= 16 ? (code as Code) : Code.Unknown;
}
