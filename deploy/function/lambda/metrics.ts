import { metrics } from "@opentelemetry/api";
import { counter, histogram, type MetricSpecs } from "../../../gateway/telemetry/metric-spec.ts";

/** The phases of a call, in milliseconds. */
export interface Phases {
  /** From the start of the process until it waited for its first call; 0 in a call that found it running. */
  readonly initMs: number;
  /** From the event until the handler began. */
  readonly invokerMs: number;
  readonly handlerMs: number;
}

const attributes = ["event", "start"] as const;

/** Metrics of a function, by the kind of its events and whether a call started the process. */
export const functionMetrics = {
  invocations: {
    name: "lambda.invocations",
    type: "counter",
    unit: "{invocation}",
    description: "Calls of the function.",
    attributes,
  },
  errors: {
    name: "lambda.error",
    type: "counter",
    unit: "{invocation}",
    description: "Calls of the function that failed, or were answered with a status of 500 or more.",
    attributes,
  },
  duration: {
    name: "lambda.duration",
    type: "histogram",
    unit: "s",
    description: "Duration of the phases of a call: init, of the first call of a process; invoker; handler.",
    attributes: ["event", "phase"],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  },
} as const satisfies MetricSpecs;

/** Records a call of the function. */
export type RecordCall = (
  call: { readonly event: string; readonly isCold: boolean; readonly failed: boolean } & Phases,
) => void;

export function createCallRecorder(): RecordCall {
  const meter = metrics.getMeter("docket");
  const invocations = counter(meter, functionMetrics.invocations);
  const errors = counter(meter, functionMetrics.errors);
  const duration = histogram(meter, functionMetrics.duration);
  return ({ event, isCold, failed, initMs, invokerMs, handlerMs }) => {
    const start = isCold ? "cold" : "warm";
    invocations.add(1, { event, start });
    if (failed) {
      errors.add(1, { event, start });
    }
    if (isCold) {
      duration.record(initMs / 1000, { event, phase: "init" });
    }
    duration.record(invokerMs / 1000, { event, phase: "invoker" });
    duration.record(handlerMs / 1000, { event, phase: "handler" });
  };
}
