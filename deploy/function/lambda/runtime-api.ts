import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

/** One call of the function. */
export interface Invocation {
  readonly requestId: string;
  /** When the platform ends the call, in Unix milliseconds. */
  readonly deadlineMs: number;
  /** X-Ray's trace, as in the header `X-Amzn-Trace-Id`. */
  readonly traceId: string | undefined;
  readonly event: unknown;
}

/** A response that is sent while it is made: metadata, then the body. */
export interface StreamedResponse {
  readonly prelude: { readonly statusCode: number; readonly headers: object; readonly cookies?: readonly string[] };
  readonly body: Readable;
}

/**
 * Client of AWS Lambda's Runtime API (docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html), on one kept connection.
 * The platform may suspend the process from the moment `next` is called until it answers.
 */
export interface RuntimeApi {
  /** Waits for the next call. @throws if the platform is gone */
  next(): Promise<Invocation>;
  /** Answers a call. After it the caller has its answer, and the process still runs until `next`. */
  respond(requestId: string, result: unknown): Promise<void>;
  /** Answers a call while the response is made. A body that fails is an error in the stream's trailers. */
  stream(requestId: string, response: StreamedResponse): Promise<void>;
  /** Reports a failed call, which the platform may repeat. */
  fail(requestId: string, error: unknown): Promise<void>;
  /** Reports that the function cannot start. */
  failInit(error: unknown): Promise<void>;
}

/** After the prelude of a streamed response. */
const preludeEnd = Buffer.alloc(8);

export function createRuntimeApi(address: string): RuntimeApi {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, timeout: 0 });
  const url = (path: string) => new URL(`http://${address}/2018-06-01/runtime/${path}`);

  const call = (path: string, body?: string, headers: Record<string, string> = {}) =>
    new Promise<{ response: IncomingMessage; text: string }>((resolve, reject) => {
      const sent = httpRequest(url(path), { agent, method: body === undefined ? "GET" : "POST", headers });
      sent.on("error", reject);
      sent.on("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString();
          const { statusCode = 0 } = response;
          statusCode < 300
            ? resolve({ response, text })
            : reject(new Error(`the Runtime API answered ${path.split("/").at(-1)} with ${statusCode}: ${text}`));
        });
      });
      sent.end(body);
    });

  const report = async (path: string, error: unknown) => {
    const { errorType, ...rest } = describe(error);
    await call(path, JSON.stringify({ errorType, ...rest }), {
      "content-type": "application/json",
      "lambda-runtime-function-error-type": errorType,
    });
  };

  return {
    async next() {
      const { response, text } = await call("invocation/next");
      const header = (name: string) => response.headers[name]?.toString();
      return {
        requestId: header("lambda-runtime-aws-request-id") ?? "",
        deadlineMs: Number(header("lambda-runtime-deadline-ms")),
        traceId: header("lambda-runtime-trace-id"),
        event: JSON.parse(text) as unknown,
      };
    },
    async respond(requestId, result) {
      const body = JSON.stringify(result ?? null);
      await call(`invocation/${requestId}/response`, body, { "content-type": "application/json" });
    },
    async stream(requestId, { prelude, body }) {
      const sent = httpRequest(url(`invocation/${requestId}/response`), {
        agent,
        method: "POST",
        headers: {
          "lambda-runtime-function-response-mode": "streaming",
          "content-type": "application/vnd.awslambda.http-integration-response",
          "transfer-encoding": "chunked",
          trailer: "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
        },
      });
      const accepted = new Promise<void>((resolve, reject) => {
        sent.on("error", reject);
        sent.on("response", (response) => response.on("end", resolve).on("error", reject).resume());
      });
      sent.write(JSON.stringify(prelude));
      sent.write(preludeEnd);
      try {
        await pipeline(body, sent, { end: false });
      } catch (error) {
        const described = describe(error);
        sent.addTrailers({
          "Lambda-Runtime-Function-Error-Type": described.errorType,
          "Lambda-Runtime-Function-Error-Body": Buffer.from(JSON.stringify(described)).toString("base64"),
        });
      }
      sent.end();
      await accepted;
    },
    fail: (requestId, error) => report(`invocation/${requestId}/error`, error),
    failInit: (error) => report("init/error", error),
  };
}

/** Without a stack: what a function reports is shown to its callers. */
function describe(error: unknown): { errorType: string; errorMessage: string; stackTrace: readonly string[] } {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  return { errorType: `Function.${name}`, errorMessage: message, stackTrace: [] };
}
