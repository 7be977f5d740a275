import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { isProtocolHeader } from "../../http/metadata.ts";

/** Received headers: names and values in turn, and as Node parsed them. */
export interface ReceivedHeaders {
  readonly raw: readonly string[];
  readonly parsed: IncomingHttpHeaders;
}

/** gRPC's own request headers that concern the messages, which are forwarded unchanged. */
const ofMessages = new Set(["content-type", "grpc-accept-encoding", "grpc-encoding", "grpc-timeout"]);

/** Response headers of HTTP itself, which each hop sets. */
const ofHop =
  /^(:.*|connection|content-length|date|http2-settings|keep-alive|proxy-connection|te|trailer|transfer-encoding|upgrade)$/;

/** The headers of a forwarded gRPC call: its metadata, deadline and compression. */
export function callHeaders(received: ReceivedHeaders): OutgoingHttpHeaders {
  return select(received, (name) => ofMessages.has(name) || !isProtocolHeader(name));
}

/** The headers or trailers of a forwarded gRPC response. */
export function replyHeaders(received: ReceivedHeaders): OutgoingHttpHeaders {
  return select(received, (name) => !ofHop.test(name));
}

/**
 * Keeps repeated headers apart, because a comma may be part of a value. Of a header that Node does not send twice, it
 * parses the first value only.
 */
function select({ raw, parsed }: ReceivedHeaders, isForwarded: (name: string) => boolean): OutgoingHttpHeaders {
  const headers: Record<string, string | string[]> = Object.create(null);
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const [name = "", value = ""] = [raw[at], raw[at + 1]];
    if (!isForwarded(name)) continue;
    const known = headers[name];
    if (known === undefined) headers[name] = value;
    else if (parsed[name] !== known) headers[name] = [known, value].flat();
  }
  return headers;
}
