import type { Registry } from "@bufbuild/protobuf";
import type { ContextValues, HandlerContext, Interceptor, ServiceImplSpec } from "@connectrpc/connect";
import type { defaultMaxElements } from "../codec/element-limit.ts";
import type { JsonOptions } from "../codec/json-codec.ts";
import type { Request } from "../http/body.ts";
import type { CorsOptions } from "../http/cors.ts";
import type { DecodeBudget } from "../http/decode-budget.ts";
import type { RequestMeter } from "../http/request-meter.ts";
import type { OpenApiDocuments } from "../openapi/docs-handler.ts";
import type { ServiceConfig } from "../routing/service-config.ts";
import type { ErrorFormat } from "./error-body.ts";
import type { StreamFormat } from "./stream-format.ts";
import type { SuccessRule } from "./success-status.ts";

/** The largest request body that is read, in bytes, unless told otherwise. */
export const defaultMaxBodyBytes: number = 4 * 1024 * 1024;

/** What REST needs; everything but `specs` has a default. */
export interface RestOptions {
  /** The implementations. Methods without a `google.api.http` annotation are not on REST. */
  readonly specs: readonly ServiceImplSpec[];
  /**
   * Decides by the headers of each call whether it may go on, on every wire, before a byte of its body is read or
   * decompressed: the place to authenticate. May set context values for interceptors and implementations. The call ends
   * with the ConnectError that it throws or rejects with; interceptors do not see such a call.
   */
  readonly admit?: (call: HandlerContext) => Promise<void> | undefined;
  /** Run once for every call, the first outermost: the same list as on the other wires. */
  readonly interceptors?: readonly Interceptor[];
  /** Types of Any details and extensions, beside those of google.rpc. */
  readonly registry?: Registry;
  readonly json?: Omit<JsonOptions, "registry" | "maxElements">;
  /** Unknown query parameters and JSON fields are dropped in place of 400. */
  readonly lenient?: boolean;
  /** Query parameters that are dropped where they name no field, such as `$alt` or `key`; all others are 400. */
  readonly queryParameters?: readonly string[];
  /** HTTP rules by method in place of the annotations, and how variables are decoded, as `readServiceConfig` reads it. */
  readonly serviceConfig?: ServiceConfig;
  /** Takes templates beyond http.proto: `**` before the end, once, and `/`. */
  readonly extendedTemplates?: boolean;
  /** How a stream is written for a client whose `Accept` names none of the formats (default `ndjson`). */
  readonly streamFormat?: StreamFormat;
  /** Where the API is described, such as `/docs`: a request that no route matches is told. */
  readonly docsPath?: string;
  readonly errorFormat?: ErrorFormat;
  /** `ErrorInfo.domain` of the gateway's own errors. */
  readonly errorDomain?: string;
  /** Largest request body, compressed and not, in bytes (default {@link defaultMaxBodyBytes}). Streams are limited by message. */
  readonly maxBodyBytes?: number;
  /** Watches bodies of unary calls while they come (default: one of its own, with the default limits). */
  readonly meter?: RequestMeter;
  /**
   * Most elements of one request message: messages, list elements and map entries, whatever their bytes (default
   * {@link defaultMaxElements}). More are 413, and RESOURCE_EXHAUSTED.
   */
  readonly maxElements?: number;
  /** Bounds the bytes that requests are decompressed to at once; by default one budget for the whole process. */
  readonly decodeBudget?: DecodeBudget;
  /** Longest time that a client may ask for, in milliseconds; a longer one is cut to it. */
  readonly maxTimeoutMs?: number;
  /** Request headers that become metadata, in place of the default list; `x-shop-*` takes all that begin so. */
  readonly requestHeaders?: readonly string[];
  /** False answers every unary call that went well with 200, without a Location: for clients that expect no 201. */
  readonly created?: boolean;
  /** Status and Location of a unary call that went well, in place of 201 for what makes a resource. */
  readonly success?: SuccessRule;
  /** How often an idle stream shows that it lives, in milliseconds (default 15 s). */
  readonly heartbeatMs?: number;
  /** A WebSocket whose client takes nothing of what is sent for this long is cut, in milliseconds (default 60 s). */
  readonly stallMs?: number;
  /** Values for interceptors and implementations, made for each request. */
  readonly contextValues?: (request: Request) => ContextValues;
  /** Aborts every call when the server stops. */
  readonly shutdownSignal?: AbortSignal;
  /** Which pages may open WebSockets (default: those of our own host, and those that CORS allows). */
  readonly allowsOrigin?: (origin: string, host: string | undefined) => boolean;
  /** Told of errors that are INTERNAL or were not ConnectErrors, for the log. */
  readonly onError?: (error: unknown, request: Request) => void;
}

/** What the whole HTTP port needs. */
export interface HttpOptions extends RestOptions {
  /** The OpenAPI documents, served as `/openapi.json` and `/openapi/{service}.json` (`.yaml`) with `/docs` over them. */
  readonly openapi?: OpenApiDocuments;
  /** No CORS headers where it is missing. */
  readonly cors?: CorsOptions;
}
