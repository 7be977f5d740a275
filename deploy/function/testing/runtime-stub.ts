import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a function answered: the text, its headers, and its trailers if it was streamed. */
export interface Answer {
  readonly text: string;
  readonly headers: IncomingMessage["headers"];
  readonly trailers: IncomingMessage["trailers"];
}

/** A process of a function under a Runtime API of its own, which a test may kill and suspend. */
export interface Instance extends AsyncDisposable {
  readonly child: ChildProcess;
  /** Whether it waits for a call. Only then does the platform suspend it. */
  readonly isIdle: boolean;
  readonly hasEnded: boolean;
  readonly logged: () => string;
  /** Calls it, as soon as it waits; resumes it if it is suspended. @throws if it fails or ends */
  call(event: object, timeoutMs?: number): Promise<Answer>;
  /** Suspends it as the platform does, if it is idle. */
  suspend(): void;
}

interface Pending {
  readonly id: string;
  readonly event: object;
  readonly deadlineMs: number;
  readonly settle: PromiseWithResolvers<Answer>;
}

/** Starts an instance. Unlike AWS's emulator, it lets a test see when the process may be suspended. */
export async function startInstance(
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<Instance> {
  let waiting: ServerResponse | undefined;
  let pending: Pending | undefined;
  let running: Pending | undefined;
  let ended = false;
  let suspended = false;
  let text = "";

  const deliver = () => {
    if (waiting === undefined || pending === undefined) {
      return;
    }
    const { id, event, deadlineMs } = pending;
    const response = waiting;
    [running, pending, waiting] = [pending, undefined, undefined];
    if (suspended) {
      child.kill("SIGCONT");
      suspended = false;
    }
    response.writeHead(200, {
      "lambda-runtime-aws-request-id": id,
      "lambda-runtime-deadline-ms": deadlineMs,
      "lambda-runtime-trace-id": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
    });
    response.end(JSON.stringify(event));
  };
  const take = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) {
      chunks.push(chunk as Buffer);
    }
    const body = Buffer.concat(chunks).toString();
    if (request.url?.endsWith("/error")) {
      running?.settle.reject(new Error(body));
    } else {
      running?.settle.resolve({ text: body, headers: request.headers, trailers: request.trailers });
    }
    response.writeHead(202).end("{}");
  };
  const server: Server = createServer((request, response) => {
    if (request.url?.endsWith("/invocation/next")) {
      running = undefined;
      waiting = response;
      deliver();
    } else {
      take(request, response).catch(() => response.destroy());
    }
  });
  server.keepAliveTimeout = 0;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  const [program = "", ...args] = command;
  const child = spawn(program, args, {
    env: {
      PATH: process.env["PATH"],
      AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${(server.address() as AddressInfo).port}`,
      ...environment,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
    });
  }
  const kill = () => void child.kill("SIGKILL");
  const exited = once(child, "exit").then(() => {
    process.off("exit", kill);
    ended = true;
    for (const call of [pending, running]) {
      call?.settle.reject(new Error(`the function's process ended: ${text.slice(-2000)}`));
    }
  });
  process.once("exit", kill);
  return {
    child,
    get isIdle() {
      return waiting !== undefined && pending === undefined && !ended;
    },
    get hasEnded() {
      return ended;
    },
    logged: () => text,
    call(event, timeoutMs = 30_000) {
      if (ended || pending !== undefined) {
        return Promise.reject(new Error("the function's process has ended or is busy"));
      }
      const settle = Promise.withResolvers<Answer>();
      pending = { id: randomUUID(), event, deadlineMs: Date.now() + timeoutMs, settle };
      deliver();
      return settle.promise;
    },
    suspend() {
      if (waiting !== undefined && pending === undefined && !ended) {
        child.kill("SIGSTOP");
        suspended = true;
      }
    },
    async [Symbol.asyncDispose]() {
      kill();
      await exited;
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
