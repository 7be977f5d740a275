import { type OutgoingHttpHeaders, STATUS_CODES } from "node:http";
import type { ExchangeRequest } from "../../../gateway/http/listener/exchange.ts";

/** The fields that are used of an event of a function URL or of API Gateway's payload format 2.0. */
export interface HttpEventV2 {
  readonly version: "2.0";
  readonly rawPath: string;
  readonly rawQueryString?: string;
  readonly cookies?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly requestContext: {
    readonly stage?: string;
    readonly http: { readonly method: string; readonly sourceIp: string };
  };
  readonly body?: string | null;
  readonly isBase64Encoded?: boolean;
}

type MultiValues = Readonly<Record<string, readonly string[]>>;

/** The fields that are used of an event of API Gateway's payload format 1.0, and of a load balancer's target group. */
export interface HttpEventV1 {
  readonly httpMethod: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>> | null;
  readonly multiValueHeaders?: MultiValues | null;
  readonly queryStringParameters?: Readonly<Record<string, string>> | null;
  readonly multiValueQueryStringParameters?: MultiValues | null;
  readonly requestContext: { readonly elb?: object; readonly identity?: { readonly sourceIp?: string } };
  readonly body?: string | null;
  readonly isBase64Encoded?: boolean;
}

/** A whole response. */
export interface WholeResponse {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
}

/** A source of HTTP events: how its events are read, and how it takes a response. */
export interface HttpSource {
  readonly request: ExchangeRequest;
  result(response: WholeResponse): object;
}

/** Reads an HTTP event; undefined for an event of any other kind. */
export function httpSourceOf(event: unknown): HttpSource | undefined {
  if (typeof event !== "object" || event === null || !("requestContext" in event)) {
    return undefined;
  }
  if ("version" in event && event.version === "2.0" && "rawPath" in event) {
    const given = event as HttpEventV2;
    return { request: requestOfV2(given), result: resultForV2 };
  }
  if (!("httpMethod" in event)) {
    return undefined;
  }
  const given = event as HttpEventV1;
  const isLoadBalancer = given.requestContext.elb !== undefined;
  const takesLists = !isLoadBalancer || (given.multiValueHeaders ?? undefined) !== undefined;
  return {
    request: isLoadBalancer ? requestOfLoadBalancer(given) : requestOfV1(given),
    result: (response) => ({
      ...(isLoadBalancer && { statusDescription: `${response.status} ${STATUS_CODES[response.status] ?? ""}`.trim() }),
      statusCode: response.status,
      ...(takesLists ? { multiValueHeaders: lists(response.headers) } : { headers: joined(response.headers) }),
      ...bodyOf(response),
    }),
  };
}

function requestOfV2(event: HttpEventV2): ExchangeRequest {
  const { rawPath, rawQueryString = "", cookies = [], headers = {}, requestContext } = event;
  const { stage = "$default", http } = requestContext;
  // Only the default stage has no segment in the path.
  const path = stage !== "$default" && rawPath.startsWith(`/${stage}/`) ? rawPath.slice(stage.length + 1) : rawPath;
  return {
    method: http.method,
    url: encodedPath(path) + (rawQueryString === "" ? "" : `?${rawQueryString}`),
    headers: [...Object.entries(headers), ...(cookies.length > 0 ? [["cookie", cookies.join("; ")] as const] : [])],
    body: bytesOf(event),
    remoteAddress: http.sourceIp,
  };
}

function requestOfV1(event: HttpEventV1): ExchangeRequest {
  // API Gateway decodes the parameters.
  const parameters = valuesOf(event.multiValueQueryStringParameters, event.queryStringParameters);
  const query = parameters.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  return {
    method: event.httpMethod,
    url: encodedPath(event.path) + (query.length === 0 ? "" : `?${query.join("&")}`),
    headers: valuesOf(event.multiValueHeaders, event.headers),
    body: bytesOf(event),
    remoteAddress: event.requestContext.identity?.sourceIp ?? "",
  };
}

function requestOfLoadBalancer(event: HttpEventV1): ExchangeRequest {
  // A load balancer passes the parameters on as they were.
  const parameters = valuesOf(event.multiValueQueryStringParameters, event.queryStringParameters);
  const query = parameters.map(([name, value]) => (value === "" ? name : `${name}=${value}`));
  const headers = valuesOf(event.multiValueHeaders, event.headers);
  // The load balancer appends the address of its peer; anything before it may be forged by the client.
  const forwarded = headers.findLast(([name]) => name.toLowerCase() === "x-forwarded-for")?.[1];
  return {
    method: event.httpMethod,
    url: encodedPath(event.path) + (query.length === 0 ? "" : `?${query.join("&")}`),
    headers,
    body: bytesOf(event),
    remoteAddress: forwarded?.split(",").at(-1)?.trim() ?? "",
  };
}

/** Cookies are a list of their own, and other values that occur several times are joined. */
function resultForV2(response: WholeResponse): object {
  const { "set-cookie": cookies, ...headers } = response.headers;
  return {
    statusCode: response.status,
    headers: joined(headers),
    ...(cookies !== undefined && { cookies: [cookies].flat().map(String) }),
    ...bodyOf(response),
  };
}

/** The metadata of a streamed response of a function URL. */
export function preludeOf({ status, headers }: Omit<WholeResponse, "body">) {
  const { "set-cookie": cookies, ...rest } = headers;
  return {
    statusCode: status,
    headers: joined(rest),
    ...(cookies !== undefined && { cookies: [cookies].flat().map(String) }),
  };
}

function bytesOf({ body, isBase64Encoded }: Pick<HttpEventV2, "body" | "isBase64Encoded">): Buffer {
  return Buffer.from(body ?? "", isBase64Encoded === true ? "base64" : "utf8");
}

/** Content that is UTF-8 text, unless it is encoded. Anything else is base64 in an event's response. */
const textType = /^(text\/|application\/([a-z.+-]+\+)?(json|yaml|xml|x-ndjson|javascript)(;|$))/i;

function bodyOf({ headers, body }: WholeResponse): { readonly body: string; readonly isBase64Encoded: boolean } {
  const isText = headers["content-encoding"] === undefined && textType.test(String(headers["content-type"] ?? ""));
  return body.length === 0 || isText
    ? { body: body.toString("utf8"), isBase64Encoded: false }
    : { body: body.toString("base64"), isBase64Encoded: true };
}

function valuesOf(
  many: MultiValues | null | undefined,
  single: Readonly<Record<string, string>> | null | undefined,
): readonly (readonly [string, string])[] {
  return many === null || many === undefined
    ? Object.entries(single ?? {})
    : Object.entries(many).flatMap(([name, values]) => values.map((value) => [name, value] as const));
}

function joined(headers: OutgoingHttpHeaders): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, [value].flat().join(", ")]],
    ),
  );
}

function lists(headers: OutgoingHttpHeaders): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, [value].flat().map(String)]],
    ),
  );
}

/** Encodes what may not stand in a request line; API Gateway's payload format 2.0 decodes the path. */
function encodedPath(path: string): string {
  return path.replace(/[^!-~]|[?#]|%(?![0-9A-Fa-f]{2})/gu, (part) => encodeURIComponent(part));
}
