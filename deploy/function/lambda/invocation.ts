import { context } from "@opentelemetry/api";
import type { Telemetry } from "../../../gateway/telemetry/start-telemetry.ts";
import type { HostConfig } from "../../../services/host/config.ts";
import type { FunctionHost } from "../../../services/host/function-host.ts";
import { within } from "../../../services/runtime/process/with-timeout.ts";
import { flushLog } from "../../../services/runtime/telemetry/log.ts";
import { contextOf, inSpan } from "../../../services/runtime/telemetry/tracing.ts";
import { httpSourceOf } from "./http-events.ts";
import { taskOf } from "./message-events.ts";
import { createCallRecorder } from "./metrics.ts";
import { runTask } from "./run-task.ts";
import type { Invocation, RuntimeApi } from "./runtime-api.ts";
import { serveHttp } from "./serve-http.ts";
import { traceparentOf } from "./trace-header.ts";
import { createInvocationWork } from "./work-of-invocation.ts";

export interface InvocationOptions {
  readonly host: FunctionHost;
  readonly api: RuntimeApi;
  readonly config: Pick<HostConfig, "function">;
  readonly telemetry: Telemetry;
  /** How long the process took until it waited for its first call, in milliseconds. */
  readonly initMs: number;
}

/** Time kept for the answer to reach the platform, in milliseconds. */
const answerReserveMs = 250;

/** Time kept until the platform ends the process, in milliseconds. */
const endReserveMs = 150;

/**
 * Serves calls one by one: answers, then finishes the work that the call has left, then sends telemetry. The platform
 * cannot suspend the process before that, because it does so only when the next call is asked for.
 */
export function createInvocationServer(options: InvocationOptions): (invocation: Invocation) => Promise<void> {
  const { host, api, config, telemetry, initMs } = options;
  const { log } = host;
  const { streaming, workBudgetMs, flushBudgetMs } = config.function;
  const work = createInvocationWork(host);
  const record = createCallRecorder();
  let isCold = true;

  const answer = async (invocation: Invocation, phases: PhaseClock): Promise<{ event: string; status?: number }> => {
    const { requestId, event, deadlineMs } = invocation;
    const leftMs = Math.max(0, deadlineMs - Date.now() - answerReserveMs);
    const traceparent = traceparentOf(invocation.traceId);
    const source = httpSourceOf(event);
    if (source !== undefined) {
      phases.beginHandler();
      const { status, result } = await serveHttp(host, {
        ...{ source, leftMs, traceparent },
        stream: streaming ? (response) => api.stream(requestId, response) : undefined,
        timing: (isOver) => phases.serverTiming(isOver),
      });
      phases.endHandler();
      if (result !== undefined) {
        await api.respond(requestId, result);
      }
      return { event: "http", status };
    }
    const task = taskOf(event);
    if (task === undefined) {
      throw new TypeError("The event is none of HTTP, SQS, Kafka or a schedule");
    }
    phases.beginHandler();
    const parent = traceparent === undefined ? context.active() : contextOf({ traceparent });
    const result = await inSpan(`${task.kind} invocation`, { parent }, () =>
      runTask(host, task, AbortSignal.timeout(leftMs)),
    );
    phases.endHandler();
    await api.respond(requestId, result);
    return { event: task.kind };
  };

  return async (invocation) => {
    const phases = createPhaseClock(isCold ? initMs : undefined);
    const call = { isCold, event: "unknown", failed: false };
    isCold = false;
    const fields: Record<string, unknown> = { request_id: invocation.requestId, start: call.isCold ? "cold" : "warm" };
    work.begin();
    try {
      const { event, status } = await answer(invocation, phases);
      Object.assign(call, { event, failed: (status ?? 200) >= 500 });
      Object.assign(fields, { event, ...(status !== undefined && { status }) });
    } catch (err) {
      phases.endHandler();
      Object.assign(call, { failed: true });
      Object.assign(fields, { err });
      await api.fail(invocation.requestId, err);
    }
    const leftMs = () => invocation.deadlineMs - Date.now() - endReserveMs - flushBudgetMs;
    const settled = await work.settle(Math.min(workBudgetMs, leftMs() / 2), leftMs() / 2);
    record({ ...call, ...phases.measured() });
    log[call.failed ? "error" : "info"](
      { ...fields, ...phases.fields(), ...(settled ? {} : { unfinished: true }) },
      "invocation",
    );
    await within(flushBudgetMs, () => telemetry.flush()).catch((err: unknown) =>
      log.warn({ err }, "telemetry was not sent"),
    );
    flushLog();
  };
}

type PhaseClock = ReturnType<typeof createPhaseClock>;

/** Measures the phases of one call. `initMs` is undefined in a call that found the process running. */
function createPhaseClock(initMs: number | undefined) {
  const beganMs = performance.now();
  let handlerBeganMs = beganMs;
  let handlerEndedMs: number | undefined;
  const measured = () => ({
    initMs: initMs ?? 0,
    invokerMs: handlerBeganMs - beganMs,
    handlerMs: (handlerEndedMs ?? performance.now()) - handlerBeganMs,
  });
  return {
    beginHandler() {
      handlerBeganMs = performance.now();
    },
    endHandler() {
      handlerEndedMs ??= performance.now();
    },
    measured,
    fields() {
      const { invokerMs, handlerMs } = measured();
      return {
        ...(initMs !== undefined && { init_duration_ms: rounded(initMs) }),
        invoker_latency_ms: rounded(invokerMs),
        handler_duration_ms: rounded(handlerMs),
      };
    },
    serverTiming(isOver: boolean): string {
      const { invokerMs, handlerMs } = measured();
      const entries = [
        ...(initMs === undefined ? [] : [`init;dur=${rounded(initMs)}`]),
        `invoker;dur=${rounded(invokerMs)}`,
        ...(isOver ? [`handler;dur=${rounded(handlerMs)}`] : []),
      ];
      return entries.join(", ");
    },
  };
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
