import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import type { HandlerContext } from "@connectrpc/connect";
import { Metadata } from "@grpc/grpc-js";
import { isProtocolHeader } from "../../http/metadata.ts";

/** Metadata as headers, with binary values as base64 and without protocol headers. */
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

/** Appends all headers to others, keeping those of the same name. */
export function appendAll(from: Headers, to: Headers): void {
  from.forEach((value, name) => {
    to.append(name, value);
  });
}

/** True if the headers hold more than HTTP's and gRPC's own. Most do not, and metadata is expensive to create. */
export function hasMetadata(headers: IncomingHttpHeaders): boolean {
  for (const name in headers) {
    if (name !== ":status" && name !== "content-type" && name !== "date" && !name.startsWith("grpc-")) return true;
  }
  return false;
}

/** Metadata and deadline as HTTP/2 headers. */
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

/** The call's headers as metadata, with `-bin` values as bytes. */
export function metadataOf(context: HandlerContext): Metadata {
  const metadata = new Metadata();
  context.requestHeader.forEach((value, name) => {
    if (isProtocolHeader(name)) return;
    try {
      metadata.add(name, name.endsWith("-bin") ? Buffer.from(value, "base64") : value);
    } catch {
      // A value that gRPC cannot carry is dropped; the call continues.
    }
  });
  return metadata;
}
