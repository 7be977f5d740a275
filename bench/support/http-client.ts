import { Agent, request } from "node:http";

/** Sends a request and resolves with the response body; rejects for a status other than 2xx. */
export type HttpCall = (
  method: "GET" | "POST",
  path: string,
  body?: string | Uint8Array,
  headers?: Readonly<Record<string, string>>,
) => Promise<Buffer>;

/** A cheap client: keep-alive connections, no decoding. */
export function createHttpClient(baseUrl: string, apiKey: string): HttpCall & Disposable {
  // Closes idle connections before the server does, to avoid a race with the next request.
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, timeout: 2000 });
  const url = new URL(baseUrl);
  const call: HttpCall = (method, path, body, headers = {}) =>
    new Promise((resolve, reject) => {
      const sent = request(
        {
          agent,
          host: url.hostname,
          port: url.port,
          method,
          path,
          headers: {
            authorization: `Bearer ${apiKey}`,
            ...(body !== undefined && {
              "content-type": "application/json",
              "content-length": Buffer.byteLength(body),
            }),
            ...headers,
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("error", reject);
          response.on("end", () => {
            const answer = Buffer.concat(chunks);
            Math.trunc((response.statusCode ?? 0) / 100) === 2
              ? resolve(answer)
              : reject(new Error(`${method} ${path}: ${response.statusCode} ${answer}`));
          });
        },
      );
      sent.on("error", reject);
      sent.end(body);
    });
  return Object.assign(call, { [Symbol.dispose]: () => agent.destroy() });
}
