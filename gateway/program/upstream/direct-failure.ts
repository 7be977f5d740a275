import { constants, type IncomingHttpHeaders } from "node:http2";
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";

/** The error of a gRPC status, or of the HTTP status of a server that is not gRPC; undefined for success. */
export function failureOf(trailer: IncomingHttpHeaders | undefined, httpStatus = 200): ServiceError | undefined {
  const said = trailer?.["grpc-status"];
  if (said === undefined) {
    if (httpStatus !== 200) return failure(codeOfHttp(httpStatus), `Received HTTP status code ${httpStatus}`);
    return trailer && failure(status.UNKNOWN, "The server ended the call without a status", trailer);
  }
  return said === "0" ? undefined : failure(Number(said), decodeMessage(trailer?.["grpc-message"]), trailer);
}

/** gRPC codes for HTTP statuses: grpc/doc/http-grpc-status-mapping.md. */
function codeOfHttp(httpStatus: number): status {
  switch (httpStatus) {
    case 400:
      return status.INTERNAL;
    case 401:
      return status.UNAUTHENTICATED;
    case 403:
      return status.PERMISSION_DENIED;
    case 404:
      return status.UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
      return status.UNAVAILABLE;
    default:
      return status.UNKNOWN;
  }
}

/** gRPC codes for reset streams: grpc/doc/PROTOCOL-HTTP2.md, "Errors". */
export function failureOfReset(code: number, dropped: boolean): ServiceError {
  if (dropped) return failure(status.UNAVAILABLE, "Connection dropped");
  switch (code) {
    case constants.NGHTTP2_REFUSED_STREAM:
      return failure(status.UNAVAILABLE, "the upstream refused the call");
    case constants.NGHTTP2_CANCEL:
      return failure(status.CANCELLED, "Call cancelled");
    case constants.NGHTTP2_ENHANCE_YOUR_CALM:
      return failure(status.RESOURCE_EXHAUSTED, "Bandwidth exhausted or memory limit exceeded");
    case constants.NGHTTP2_INADEQUATE_SECURITY:
      return failure(status.PERMISSION_DENIED, "Protocol not secure enough");
    case constants.NGHTTP2_NO_ERROR:
      return failure(status.INTERNAL, `Received RST_STREAM with code ${code} (Call ended without gRPC status)`);
    case constants.NGHTTP2_INTERNAL_ERROR:
      return failure(status.INTERNAL, `Received RST_STREAM with code ${code} (Internal server error)`);
    default:
      return failure(status.INTERNAL, `Received RST_STREAM with code ${code}`);
  }
}

export function failure(code: status, details: string, trailer?: IncomingHttpHeaders): ServiceError {
  const metadata = trailer === undefined ? new Metadata() : Metadata.fromHttp2Headers(trailer);
  return Object.assign(new Error(`${code}: ${details}`), { code, details, metadata });
}

/** Decodes the percent-encoded `grpc-message`; a malformed one is returned unchanged. */
function decodeMessage(message: string | string[] | undefined): string {
  const text = String(message ?? "");
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
