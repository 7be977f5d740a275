import { createRegistry, fromJson } from "@bufbuild/protobuf";
import { type Code, ConnectError } from "@connectrpc/connect";
import { codeFromHttpStatus } from "@connectrpc/connect/protocol-grpc";
import { file_google_rpc_error_details } from "../../gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../gen/google/rpc/status_pb.js";
import { DocketError } from "./errors.ts";

const registry = createRegistry(file_google_rpc_error_details);

/**
 * Converts a non-2xx REST response to an error. The body is `google.rpc.Status` in JSON, or arbitrary text from a
 * proxy.
 */
export async function restError(response: Response): Promise<DocketError> {
  const text = await response.text();
  return new DocketError(parseStatus(text, response.headers) ?? unknownAnswer(response, text));
}

function parseStatus(text: string, headers: Headers): ConnectError | undefined {
  try {
    const status = fromJson(StatusSchema, JSON.parse(text), { registry, ignoreUnknownFields: true });
    const error = new ConnectError(status.message, status.code as Code, headers);
    error.details = status.details.map(({ typeUrl, value }) => ({
      type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
      value,
    }));
    return error;
  } catch {
    return undefined;
  }
}

function unknownAnswer(response: Response, text: string): ConnectError {
  return new ConnectError(
    `HTTP ${response.status}: ${text.slice(0, 200)}`,
    codeFromHttpStatus(response.status),
    response.headers,
  );
}
