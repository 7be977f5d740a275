import type { OutgoingHttpHeaders } from "node:http2";
import { isProtocolHeader } from "../../http/metadata.ts";

/** Names and values in turn, as HTTP/2 received them. */
export type RawHeaders = readonly string[];

/** gRPC's own request headers that concern the messages, which are forwarded unchanged. */
const ofMessages = new Set(["content-type", "grpc-accept-encoding", "grpc-encoding", "grpc-timeout"]);

/** Response headers of HTTP itself, which each hop sets. */
const ofHop = /^(:.*|connection|content-length|date|keep-alive|te|trailer|transfer-encoding|upgrade)$/;

/** The headers of a forwarded gRPC call: its metadata, deadline and compression. */
export function callHeaders(raw: RawHeaders): OutgoingHttpHeaders {
  return select(raw, (name) => ofMessages.has(name) || !isProtocolHeader(name));
}

/** The headers or trailers of a forwarded gRPC response. */
export function replyHeaders(raw: RawHeaders): OutgoingHttpHeaders {
  return select(raw, (name) => !ofHop.test(name));
}

/** Keeps repeated headers apart: a comma may be part of a value. */
function select(raw: RawHeaders, isForwarded: (name: string) => boolean): OutgoingHttpHeaders {
  const headers: Record<string, string | string[]> = Object.create(null);
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const [name = "", value = ""] = [raw[at], raw[at + 1]];
    if (!isForwarded(name)) continue;
    const known = headers[name];
    headers[name] = known === undefined ? value : [known, value].flat();
  }
  return headers;
}
