import {
  defaultResource,
  detectResources,
  envDetector,
  type Resource,
  resourceFromAttributes,
} from "@opentelemetry/resources";

/** Whose telemetry it is, and the standard `OTEL_*` variables for it. */
export interface TelemetryOptions {
  /** OpenTelemetry's `service.name`, unless `OTEL_SERVICE_NAME` names another. */
  readonly serviceName: string;
  /** The variables of the process. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whether the calls of grpc-js's clients have spans. Default true. */
  readonly tracesClients?: boolean;
}

/** The spans of a process. */
export interface Spans {
  /** Whether spans have somewhere to go. */
  readonly areExported: boolean;
  /** Sends the spans that have ended. */
  flush(): Promise<void>;
  /** Sends the rest, and ends the recording. */
  stop(): Promise<void>;
}

/** The program as the source of its telemetry, with the attributes of `OTEL_RESOURCE_ATTRIBUTES`. */
export function resourceOf({ serviceName }: TelemetryOptions): Resource {
  return defaultResource()
    .merge(resourceFromAttributes({ "service.name": serviceName }))
    .merge(detectResources({ detectors: [envDetector] }));
}

export function isDisabled(environment: TelemetryOptions["environment"]): boolean {
  return environment["OTEL_SDK_DISABLED"]?.toLowerCase() === "true";
}

export function isSet(environment: TelemetryOptions["environment"], name: string): boolean {
  return (environment[name] ?? "") !== "";
}
