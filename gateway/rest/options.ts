import type { Registry } from "@bufbuild/protobuf";
import type { ContextValues, HandlerContext, Interceptor, ServiceImplSpec } from "@connectrpc/connect";
import type { defaultMaxElements } from "../codec/element-limit.ts";
import type { JsonOptions } from "../codec/json-codec.ts";
import type { Request, Response } from "../http/body/request.ts";
import type { CorsOptions } from "../http/cors.ts";
import type { DecodeBudget } from "../http/limits/decode-budget.ts";
import type { RequestMeter } from "../http/limits/request-meter.ts";
import type { OpenApiDocuments } from "../openapi/docs-handler.ts";
import type { ServiceConfig } from "../routing/service-config.ts";
import type { ErrorFormat } from "./error-body.ts";
import type { StreamFormat } from "./stream-format.ts";
import type { SuccessRule } from "./success-status.ts";

/** Default maximum size of a request body, in bytes. */
export const defaultMaxBodyBytes: number = 4 * 1024 * 1024;

/** Options of the REST handler; all but `specs` have a default. */
export interface RestOptions {
  /** The implementations. Methods without a `google.api.http` annotation are not served on REST. */
  readonly specs: readonly ServiceImplSpec[];
  /**
   * Admits or rejects each call by its headers, on every wire, before any of its body is read or decompressed: the
   * place to authenticate. It may set context values for interceptors and implementations. If it throws or rejects with
   * a ConnectError, the call ends with that error and does not reach the interceptors.
   */
  readonly admit?: (call: HandlerContext) => Promise<void> | undefined;
  /** Run once per call, the first one outermost: the same list as on the other wires. */
  readonly interceptors?: readonly Interceptor[];
  /** Types of Any details and extensions, in addition to those of google.rpc. */
  readonly registry?: Registry;
  readonly json?: Omit<JsonOptions, "registry" | "maxElements">;
  /** Drops unknown query parameters and JSON fields instead of returning 400. */
  readonly lenient?: boolean;
  /** Query parameters that are dropped when they name no field, such as `$alt` or `key`; all others are 400. */
  readonly queryParameters?: readonly string[];
  /** HTTP rules that replace a method's annotations, and how variables are decoded, from `readServiceConfig`. */
  readonly serviceConfig?: ServiceConfig;
  /** Accepts templates beyond http.proto: one `**` before the end, and `/`. */
  readonly extendedTemplates?: boolean;
  /** The stream format for clients whose `Accept` names none of the formats (default `ndjson`). */
  readonly streamFormat?: StreamFormat;
  /** Path of the API documentation, such as `/docs`, which is mentioned to requests that match no route. */
  readonly docsPath?: string;
  readonly errorFormat?: ErrorFormat;
  /** `ErrorInfo.domain` of the gateway's own errors. */
  readonly errorDomain?: string;
  /** Largest request body, compressed and not, in bytes (default {@link defaultMaxBodyBytes}). Streams are limited by message. */
  readonly maxBodyBytes?: number;
  /** Meters bodies of unary calls (default: a new meter with the default limits). */
  readonly meter?: RequestMeter;
  /**
   * Maximum number of elements per request message: messages, list elements and map entries, whatever their size
   * (default {@link defaultMaxElements}). More are 413 and RESOURCE_EXHAUSTED.
   */
  readonly maxElements?: number;
  /**
   * Bounds the bytes into which requests are decompressed concurrently; by default one budget for the whole process.
   */
  readonly decodeBudget?: DecodeBudget;
  /** Maximum timeout that a client may request, in milliseconds; a longer one is reduced to it. */
  readonly maxTimeoutMs?: number;
  /**
   * Request headers that become metadata, replacing the default list; `x-shop-*` matches every name with that prefix.
   */
  readonly requestHeaders?: readonly string[];
  /** False makes every successful unary call 200 without a Location, for clients that expect no 201. */
  readonly created?: boolean;
  /** Status and Location of a successful unary call, replacing the rule that creating a resource is 201. */
  readonly success?: SuccessRule;
  /** Heartbeat interval of an idle stream, in milliseconds (default 15 s). */
  readonly heartbeatMs?: number;
  /** A WebSocket whose client reads nothing for this long is closed, in milliseconds (default 60 s). */
  readonly stallMs?: number;
  /** Values for interceptors and implementations, created per request. */
  readonly contextValues?: (request: Request) => ContextValues;
  /** Aborts every call on shutdown. */
  readonly shutdownSignal?: AbortSignal;
  /** Which pages may open WebSockets (default: those of this host, and those that CORS allows). */
  readonly allowsOrigin?: (origin: string, host: string | undefined) => boolean;
  /** Called with errors that are INTERNAL or were not ConnectErrors, for the log. */
  readonly onError?: (error: unknown, request: Request) => void;
}

/** Options of the whole HTTP port. */
export interface HttpOptions extends RestOptions {
  /** The OpenAPI documents, served as `/openapi.json` and `/openapi/{service}.json` (`.yaml`) with `/docs` over them. */
  readonly openapi?: OpenApiDocuments;
  /**
   * Serves gRPC requests by forwarding them, before `admit`, interceptors and implementations. It returns false for a
   * request that it declines, of which it has consumed nothing.
   */
  readonly forwardGrpc?: (request: Request, response: Response, path: string) => boolean;
  /** If undefined, no CORS headers are sent. */
  readonly cors?: CorsOptions;
}
