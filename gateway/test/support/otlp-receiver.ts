import grpc from "@grpc/grpc-js";
import protobuf from "protobufjs";

/** A span as it was exported. Ids are hexadecimal; `parent` is empty for the root of a trace. */
export interface ExportedSpan {
  readonly service: string;
  readonly name: string;
  readonly trace: string;
  readonly id: string;
  readonly parent: string;
  /** 1 INTERNAL, 2 SERVER, 3 CLIENT, 4 PRODUCER, 5 CONSUMER. */
  readonly kind: number;
  readonly failed: boolean;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Ids of the traces that it links to. */
  readonly links: readonly string[];
}

/** Receives traces and metrics by OTLP over gRPC. */
export interface OtlpReceiver extends AsyncDisposable {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly url: string;
  readonly spans: readonly ExportedSpan[];
  /** Units of the metrics that were pushed, by name. */
  readonly metrics: ReadonlyMap<string, string>;
}

/** The fields read here, of github.com/open-telemetry/opentelemetry-proto. */
const schema = protobuf.parse(`
  syntax = "proto3";
  message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message Link { bytes trace_id = 1; bytes span_id = 2; }
  message Status { string message = 2; int32 code = 3; }
  message Span {
    bytes trace_id = 1;
    bytes span_id = 2;
    bytes parent_span_id = 4;
    string name = 5;
    int32 kind = 6;
    repeated KeyValue attributes = 9;
    repeated Link links = 13;
    Status status = 15;
  }
  message ScopeSpans { repeated Span spans = 2; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message Request { repeated ResourceSpans resource_spans = 1; }
  message Metric { string name = 1; string unit = 3; }
  message ScopeMetrics { repeated Metric metrics = 2; }
  message ResourceMetrics { repeated ScopeMetrics scope_metrics = 2; }
  message MetricsRequest { repeated ResourceMetrics resource_metrics = 1; }
`).root;

interface KeyValue {
  readonly key: string;
  readonly value?: Readonly<Record<string, unknown>>;
}

interface Request {
  readonly resourceSpans?: readonly {
    readonly resource?: { readonly attributes?: readonly KeyValue[] };
    readonly scopeSpans?: readonly {
      readonly spans?: readonly {
        readonly traceId: Buffer;
        readonly spanId: Buffer;
        readonly parentSpanId?: Buffer;
        readonly name: string;
        readonly kind: number;
        readonly attributes?: readonly KeyValue[];
        readonly links?: readonly { readonly traceId: Buffer }[];
        readonly status?: { readonly code?: number };
      }[];
    }[];
  }[];
}

const hex = (bytes: Buffer | undefined) => Buffer.from(bytes ?? []).toString("hex");

const valuesOf = (pairs: readonly KeyValue[] = []) =>
  Object.fromEntries(pairs.map(({ key, value = {} }) => [key, Object.values(value)[0]]));

function spansOf(bytes: Buffer): ExportedSpan[] {
  const type = schema.lookupType("Request");
  const { resourceSpans = [] } = type.toObject(type.decode(bytes), { longs: Number, bytes: Buffer }) as Request;
  return resourceSpans.flatMap(({ resource, scopeSpans = [] }) =>
    scopeSpans
      .flatMap(({ spans = [] }) => spans)
      .map((span) => ({
        service: String(valuesOf(resource?.attributes)["service.name"]),
        name: span.name,
        trace: hex(span.traceId),
        id: hex(span.spanId),
        parent: hex(span.parentSpanId),
        kind: span.kind,
        failed: span.status?.code === 2,
        attributes: valuesOf(span.attributes),
        links: (span.links ?? []).map(({ traceId }) => hex(traceId)),
      })),
  );
}

function metricsOf(bytes: Buffer): readonly (readonly [name: string, unit: string])[] {
  const { resourceMetrics } = schema.lookupType("MetricsRequest").decode(bytes).toJSON() as {
    resourceMetrics?: { scopeMetrics?: { metrics?: { name: string; unit?: string }[] }[] }[];
  };
  const scopes = (resourceMetrics ?? []).flatMap(({ scopeMetrics = [] }) => scopeMetrics);
  return scopes.flatMap(({ metrics = [] }) => metrics).map(({ name, unit = "" }) => [name, unit] as const);
}

/** Starts a receiver on a free port. */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ExportedSpan[] = [];
  const metrics = new Map<string, string>();
  const server = new grpc.Server({ "grpc.max_receive_message_length": -1 });
  const bytes = (value: Buffer) => value;
  const receive = (path: string, take: (request: Buffer) => void) =>
    server.addService(
      {
        export: {
          path,
          requestStream: false,
          responseStream: false,
          requestSerialize: bytes,
          requestDeserialize: bytes,
          responseSerialize: bytes,
          responseDeserialize: bytes,
        },
      },
      {
        export(call: grpc.ServerUnaryCall<Buffer, Buffer>, respond: grpc.sendUnaryData<Buffer>) {
          take(call.request);
          respond(null, Buffer.alloc(0));
        },
      },
    );
  receive("/opentelemetry.proto.collector.trace.v1.TraceService/Export", (request) => {
    spans.push(...spansOf(request));
  });
  receive("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", (request) => {
    for (const [name, unit] of metricsOf(request)) metrics.set(name, unit);
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    metrics,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.tryShutdown(resolve));
    },
  };
}
