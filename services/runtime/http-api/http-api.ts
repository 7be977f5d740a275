import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { type Attributes, SpanKind } from "@opentelemetry/api";
import { histogram } from "../../../gateway/telemetry/metric-spec.ts";
import { meter, runtimeMetrics } from "../telemetry/metrics.ts";
import { inChildSpan, traceFields } from "../telemetry/tracing.ts";
import { type Backoff, fullJitterMs } from "../values/backoff.ts";

export interface HttpApiOptions {
  /** Base of all paths, such as `https://api.example.com/v2`. */
  readonly baseUrl: string;
  /** Headers of every request, such as the credential. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Timeout of one attempt. Default 5 s. */
  readonly timeoutMs?: number;
  /** Most attempts at one request. Default 3. */
  readonly maxAttempts?: number;
  /** Pauses between attempts, with full jitter. Default 100 ms, doubled up to 2 s. */
  readonly retry?: Backoff;
  /** Random number in [0, 1) for jitter. Default `Math.random`. */
  readonly random?: () => number;
  /** Most connections; further requests wait for one. Default 64. */
  readonly maxConnections?: number;
}

export interface ApiRequest {
  readonly method: "GET" | "POST";
  /** Relative to the base, with a leading slash. */
  readonly path: string;
  /** JSON. */
  readonly body?: string;
}

export interface ApiResponse {
  readonly status: number;
  readonly body: string;
}

/** Client of another system's HTTP API. Disposing it closes its connections. */
export interface HttpApi extends Disposable {
  /**
   * Makes a request on a kept-alive connection. Failed connections, timeouts and the statuses 408, 429 and 5xx are
   * retried, so the request must be idempotent. Redirects are not followed. The request carries the active trace.
   *
   * Rejects if the outcome is still unknown after the last attempt, or with the reason of `signal`.
   */
  send(request: ApiRequest, signal: AbortSignal): Promise<ApiResponse>;
}

/** Most bytes of a response. */
const maxResponseBytes = 1024 * 1024;

/** Creates a client of an HTTP API with JSON bodies. */
export function createHttpApi(options: HttpApiOptions): HttpApi {
  const { timeoutMs = 5_000, maxAttempts = 3, maxConnections = 64, random = Math.random } = options;
  const { retry = { initialMs: 100, maxMs: 2_000 }, headers = {} } = options;
  const base = options.baseUrl.replace(/\/+$/, "");
  const isSecure = new URL(base).protocol === "https:";
  const agent = new (isSecure ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: maxConnections });
  const open = isSecure ? httpsRequest : httpRequest;

  const durations = histogram(meter(), runtimeMetrics.httpClientDuration);
  const span = { kind: SpanKind.CLIENT, attributes: { "server.address": new URL(base).host } };

  const attempt = ({ method, path, body }: ApiRequest, signal: AbortSignal): Promise<ApiResponse> =>
    new Promise((resolve, reject) => {
      const sent: RequestOptions = {
        agent,
        method,
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
        headers: {
          accept: "application/json",
          ...headers,
          ...traceFields(),
          ...(body !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
        },
      };
      open(`${base}${path}`, sent, (response) => readBody(response).then(resolve, reject))
        .on("error", reject)
        .end(body);
    });

  return {
    async send(request, signal) {
      for (let nth = 1; ; nth++) {
        signal.throwIfAborted();
        const begin = performance.now();
        const failure = await inChildSpan(request.method, span, () => attempt(request, signal)).catch(asError);
        durations.record((performance.now() - begin) / 1000, {
          "http.request.method": request.method,
          "server.address": span.attributes["server.address"],
          ...outcomeOf(failure),
        });
        if (!(failure instanceof Error) && !isTemporary(failure.status)) {
          return failure;
        }
        signal.throwIfAborted();
        if (nth >= maxAttempts) {
          const why = failure instanceof Error ? failure.message : `status ${failure.status}`;
          throw new Error(`${request.method} ${request.path}: ${why}`, { cause: failure });
        }
        await sleep(fullJitterMs(nth, retry, random), undefined, { signal });
      }
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}

async function readBody(response: IncomingMessage): Promise<ApiResponse> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxResponseBytes) {
      throw new Error(`the response is longer than ${maxResponseBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() };
}

function isTemporary(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

/** What OpenTelemetry's conventions say of an attempt's outcome. */
function outcomeOf(outcome: ApiResponse | Error): Attributes {
  if (outcome instanceof Error) {
    return { "error.type": outcome.name === "TimeoutError" ? "timeout" : "connection" };
  }
  const status = String(outcome.status);
  return { "http.response.status_code": status, ...(outcome.status >= 400 && { "error.type": status }) };
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
