import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from "node:http";

/** A response as received. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

/** Sends a request exactly as given: `fetch` would normalize dots and escape characters. */
export function rawRequest(
  url: string,
  path: string,
  init: { method?: string; headers?: OutgoingHttpHeaders; body?: string | Uint8Array } = {},
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const outgoing = request({
      hostname,
      port,
      path,
      method: init.method ?? "GET",
      headers: init.headers ?? {},
      agent: false,
    });
    outgoing.on("error", reject);
    outgoing.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          trailers: response.trailers,
          body: Buffer.concat(chunks),
        }),
      );
    });
    if (init.body !== undefined) outgoing.setHeader("content-length", Buffer.byteLength(init.body));
    outgoing.end(init.body);
  });
}
