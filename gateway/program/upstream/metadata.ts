import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import type { HandlerContext } from "@connectrpc/connect";
import { Metadata } from "@grpc/grpc-js";

/** Metadata as headers, binary values as base64, without what belongs to the protocol. */
export function headersOf(metadata: Metadata | undefined): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(metadata?.getMap() ?? {})) {
    if (name.startsWith("grpc-") || name === "content-type") continue;
    for (const each of metadata?.get(name) ?? [value]) {
      headers.append(name, typeof each === "string" ? each : each.toString("base64"));
    }
  }
  return headers;
}

/** Adds all headers to others, beside those of the same name. */
export function appendAll(from: Headers, to: Headers): void {
  from.forEach((value, name) => {
    to.append(name, value);
  });
}

/** True where the headers hold more than what HTTP and gRPC put there. Most do not, and metadata is dear to make. */
export function hasMetadata(headers: IncomingHttpHeaders): boolean {
  for (const name in headers) {
    if (name !== ":status" && name !== "content-type" && name !== "date" && !name.startsWith("grpc-")) return true;
  }
  return false;
}

/** Metadata and deadline as HTTP/2 carries them. */
export function directHeadersOf(context: HandlerContext): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = metadataOf(context).toHttp2Headers();
  const timeoutMs = context.timeoutMs();
  if (timeoutMs !== undefined) {
    const ms = Math.max(1, Math.ceil(timeoutMs));
    // At most eight digits are allowed.
    headers["grpc-timeout"] = ms < 1e8 ? `${ms}m` : `${Math.min(Math.ceil(ms / 1000), 99_999_999)}S`;
  }
  return headers;
}

/** Of HTTP only; the upstream has no use for them and grpc-js refuses some. */
const ofHttp =
  /^(:.*|connection|content-.*|accept|accept-encoding|host|te|trailer|transfer-encoding|upgrade|keep-alive|grpc-.*|connect-.*|http2-settings|origin|sec-.*)$/;

/** The call's headers as metadata, `-bin` ones as bytes. */
export function metadataOf(context: HandlerContext): Metadata {
  const metadata = new Metadata();
  context.requestHeader.forEach((value, name) => {
    if (ofHttp.test(name)) return;
    try {
      metadata.add(name, name.endsWith("-bin") ? Buffer.from(value, "base64") : value);
    } catch {
      // A value that gRPC cannot carry does not go on; the call does.
    }
  });
  return metadata;
}
