import { Metadata } from "@grpc/grpc-js";

/** Headers that belong to the protocol: neither shown to handlers as theirs nor taken from them. */
const protocolHeaders = new Set([
  "connection",
  "content-length",
  "content-type",
  "host",
  "te",
  "trailer",
  "transfer-encoding",
]);

/**
 * gRPC metadata as headers. Several values of one key are joined by commas, as HTTP has it; keys that end in `-bin`
 * hold base64, as on the wire: read them with Connect's `decodeBinaryHeader`.
 */
export function headersOf(metadata: Metadata): Headers {
  const headers = new Headers();
  const values = metadata.toHttp2Headers();
  for (const key in values) {
    const value = values[key];
    if (Array.isArray(value)) {
      for (const one of value) {
        headers.append(key, one);
      }
    } else if (value !== undefined) {
      headers.append(key, String(value));
    }
  }
  return headers;
}

/** Headers as gRPC metadata, without those of the protocol; the inverse of `headersOf`. */
export function metadataOf(headers: Headers): Metadata {
  const metadata = new Metadata();
  headers.forEach((value, key) => {
    if (key.startsWith("grpc-") || protocolHeaders.has(key)) {
      return;
    }
    if (key.endsWith("-bin")) {
      for (const one of value.split(",")) {
        metadata.add(key, Buffer.from(one.trim(), "base64"));
      }
    } else {
      metadata.add(key, value);
    }
  });
  return metadata;
}
