import { Metadata } from "@grpc/grpc-js";

/** Protocol headers, hidden from handlers and never taken from them. */
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
 * Converts gRPC metadata to headers. Multiple values of a key are joined by commas, as in HTTP. Keys that end in `-bin`
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

/** Writes binary values without padding, as gRPC requires of senders; grpc-js pads them. */
class UnpaddedMetadata extends Metadata {
  override clone(): UnpaddedMetadata {
    const copy = new UnpaddedMetadata(this.getOptions());
    copy.merge(this);
    return copy;
  }

  override toHttp2Headers() {
    const headers = super.toHttp2Headers();
    for (const key in headers) {
      const value = headers[key];
      if (key.endsWith("-bin") && value !== undefined) {
        headers[key] = Array.isArray(value) ? value.map(unpadded) : unpadded(String(value));
      }
    }
    return headers;
  }
}

const unpadded = (base64: string) => base64.replace(/=+$/, "");

/** Converts headers to gRPC metadata, without protocol headers; the inverse of `headersOf`. */
export function metadataOf(headers: Headers): Metadata {
  const metadata = new UnpaddedMetadata();
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

/**
 * The trailers of a successful call.
 * @param headers Undefined for none.
 */
export function trailersOf(headers: Headers | undefined): Metadata {
  const metadata = headers === undefined ? new Metadata() : metadataOf(headers);
  // grpc-js sends "OK" here, although gRPC defines a message for errors only. Metadata takes precedence.
  metadata.set("grpc-message", "");
  return metadata;
}
