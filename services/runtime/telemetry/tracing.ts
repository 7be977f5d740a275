import {
  type Attributes,
  type Context,
  context,
  isSpanContextValid,
  type Link,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  TraceFlags,
  trace,
} from "@opentelemetry/api";
import { failSpan } from "../../../gateway/telemetry/rpc-span.ts";

/** A trace context outside the process, in a row, an event or a header: its W3C fields, such as `traceparent`. */
export type TraceFields = Readonly<Record<string, string>>;

const noFields: TraceFields = {};

export interface SpanOptions {
  /** Default INTERNAL. */
  readonly kind?: SpanKind;
  readonly attributes?: Attributes;
  /** The parent. Default: the active context. */
  readonly parent?: Context;
  readonly links?: readonly Link[];
}

/**
 * Runs `work` in a span, which ends with it. An exception is recorded, makes the span an error, and is rethrown. Does
 * nothing else where no SDK is started.
 */
export async function inSpan<T>(
  name: string,
  { kind = SpanKind.INTERNAL, attributes, parent = context.active(), links }: SpanOptions,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  const options = { kind, ...(attributes && { attributes }), ...(links && { links: [...links] }) };
  const span = tracer().startSpan(name, options, parent);
  try {
    return await context.with(trace.setSpan(parent, span), () => work(span));
  } catch (error) {
    failSpan(span, error);
    throw error;
  } finally {
    span.end();
  }
}

/** Runs `work` in a span where the active one is recorded; otherwise in none, so that no trace begins here. */
export function inChildSpan<T>(name: string, options: SpanOptions, work: () => Promise<T>): Promise<T> {
  return trace.getActiveSpan()?.isRecording() ? inSpan(name, options, work) : work();
}

/** The tracer of all of Docket's spans. */
export const tracer = () => trace.getTracer("docket");

/** The fields that carry the active context elsewhere. Empty outside a trace. */
export function traceFields(from: Context = context.active()): TraceFields {
  const span = trace.getSpanContext(from);
  if (span === undefined || !isSpanContextValid(span)) {
    return noFields;
  }
  const fields: Record<string, string> = {};
  propagation.inject(from, fields);
  return fields;
}

/** The context that {@link traceFields} carried. The root context if there was none. */
export function contextOf(fields: TraceFields): Context {
  return propagation.extract(ROOT_CONTEXT, fields);
}

/** Age from which what continues a trace gets one of its own, linked to it: backends keep a trace together for so long. */
const LINKED_AFTER_MS = 60 * 60_000;

/** Where a span belongs whose cause carried these fields, so many milliseconds ago. */
export function causedBy(fields: TraceFields, ageMs: number): Pick<SpanOptions, "parent" | "links"> {
  return ageMs < LINKED_AFTER_MS ? { parent: contextOf(fields) } : { parent: ROOT_CONTEXT, links: linksTo(fields) };
}

/** A link to the trace of these fields. None if they carry no trace. */
function linksTo(fields: TraceFields): Link[] {
  const span = spanContextOf(fields);
  return span === undefined ? [] : [{ context: span }];
}

/** The span whose context {@link traceFields} carried. */
export function spanContextOf(fields: TraceFields): SpanContext | undefined {
  return trace.getSpanContext(contextOf(fields));
}

/**
 * Runs work for many callers at once, such as a batch, in a span of its own that links to theirs. Without a span where
 * none of them is sampled.
 */
export function inLinkedSpan<T>(
  name: string,
  callers: Iterable<SpanContext | undefined>,
  work: () => Promise<T>,
): Promise<T> {
  const links: Link[] = [];
  for (const caller of callers) {
    if (caller !== undefined && (caller.traceFlags & TraceFlags.SAMPLED) !== 0) {
      links.push({ context: caller });
    }
  }
  return links.length === 0 ? context.with(ROOT_CONTEXT, work) : inSpan(name, { parent: ROOT_CONTEXT, links }, work);
}

/** `trace_id` and `span_id` of the active span, for log lines. Undefined outside a trace. */
export function activeIds(): { readonly trace_id: string; readonly span_id: string } | undefined {
  const span = trace.getActiveSpan()?.spanContext();
  return span !== undefined && isSpanContextValid(span) ? { trace_id: span.traceId, span_id: span.spanId } : undefined;
}
