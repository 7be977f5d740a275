import { exchange } from "../../../gateway/http/listener/exchange.ts";
import type { FunctionHost } from "../../../services/host/function-host.ts";
import { withDeadline } from "./deadline-header.ts";
import { type HttpSource, preludeOf, type WholeResponse } from "./http-events.ts";
import type { RuntimeApi } from "./runtime-api.ts";

export interface HttpCall {
  readonly source: HttpSource;
  /** Set if the response may be sent while it is made. */
  readonly stream: ((response: Parameters<RuntimeApi["stream"]>[1]) => Promise<void>) | undefined;
  /** Time until the answer must be there, in milliseconds. */
  readonly leftMs: number;
  readonly traceparent: string | undefined;
  /** The value of `Server-Timing`; `isOver` once the handler has ended. */
  readonly timing: (isOver: boolean) => string;
}

/** Lambda refuses larger responses; base64 adds a third. */
const maxBytes = 6 * 1024 * 1024 - 64 * 1024;

/**
 * Serves an HTTP event by the handler. Returns the status, and the result for the platform unless the response was
 * streamed. A call that is out of time is answered with 504, and native gRPC, which needs HTTP/2 to the client, with 415.
 */
export async function serveHttp(
  { handler }: Pick<FunctionHost, "handler">,
  call: HttpCall,
): Promise<{ readonly status: number; readonly result?: object }> {
  const { source, stream, leftMs, traceparent, timing } = call;
  const { request } = source;
  const answer = (response: WholeResponse) => {
    const headers = { ...response.headers, "server-timing": timing(true) };
    return { status: response.status, result: source.result({ ...response, headers }) };
  };
  if (isNativeGrpc(request.headers)) {
    return answer(statusResponse(415, 12, nativeGrpc));
  }
  const hasTrace = request.headers.some(([name]) => name.toLowerCase() === "traceparent");
  const traced =
    hasTrace || traceparent === undefined
      ? request.headers
      : [...request.headers, ["traceparent", traceparent] as const];
  const outOfTime = new AbortController();
  const timer = setTimeout(() => outOfTime.abort(new Error("the function is out of time")), leftMs);
  try {
    // The handler's own answer to its deadline should come first.
    const headers = withDeadline(traced, Math.max(0, leftMs - answerMs));
    const response = await exchange(handler, { ...request, headers }, outOfTime.signal);
    if (stream !== undefined) {
      const timed = { ...response.headers, "server-timing": timing(false) };
      await stream({ prelude: preludeOf({ status: response.status, headers: timed }), body: response.body });
      return { status: response.status };
    }
    const body = await bytesOf(response.body);
    const encodedBytes = response.headers["content-encoding"] === undefined ? body.length : (body.length * 4) / 3;
    return encodedBytes > maxBytes ? answer(statusResponse(500, 13, tooLarge)) : answer({ ...response, body });
  } catch (error) {
    if (!outOfTime.signal.aborted) {
      throw error;
    }
    return answer(statusResponse(504, 4, "the function ran out of time; the request may have had its effect"));
  } finally {
    clearTimeout(timer);
  }
}

/** Time between the handler's deadline and this function's, in milliseconds. */
const answerMs = 100;

const nativeGrpc =
  "native gRPC is not served here, because the platform does not pass on HTTP/2; use gRPC-Web, Connect or REST";

const tooLarge = "the response is larger than the 6 MB that the platform takes; request a smaller page";

function isNativeGrpc(headers: HttpSource["request"]["headers"]): boolean {
  const type = headers.find(([name]) => name.toLowerCase() === "content-type")?.[1] ?? "";
  return /^application\/grpc($|[+;\s])/i.test(type);
}

function statusResponse(status: number, code: number, message: string): WholeResponse {
  const body = Buffer.from(JSON.stringify({ code, message, details: [] }));
  return { status, headers: { "content-type": "application/json", "content-length": body.length }, body };
}

async function bytesOf(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
