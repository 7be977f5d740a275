import type { IncomingMessage } from "node:http";

/** A request as a platform receives it. */
export interface PlatformRequest {
  readonly method: string;
  /** As in the request line. */
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
  readonly address: string;
}

/** A response as a platform sends it. */
export interface PlatformResponse {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
}

/** A platform that turns requests into events, and results into responses, as its documentation says. */
export interface Platform {
  readonly name: string;
  eventOf(request: PlatformRequest): object;
  responseOf(result: unknown): PlatformResponse;
}

const isText = (headers: readonly (readonly [string, string])[]): boolean =>
  headers.every(([name, value]) => name !== "content-encoding" && (name !== "content-type" || /json|text/.test(value)));

const bodyOf = ({ body, headers }: PlatformRequest) =>
  isText(headers)
    ? { body: body.length === 0 ? null : body.toString(), isBase64Encoded: false }
    : { body: body.toString("base64"), isBase64Encoded: true };

const joined = (pairs: readonly (readonly [string, string])[]): Record<string, string> => {
  const values: Record<string, string> = {};
  for (const [name, value] of pairs) {
    values[name] = name in values ? `${values[name]},${value}` : value;
  }
  return values;
};

const last = (pairs: readonly (readonly [string, string])[]): Record<string, string> => Object.fromEntries(pairs);

const lists = (pairs: readonly (readonly [string, string])[]): Record<string, string[]> => {
  const values: Record<string, string[]> = {};
  for (const [name, value] of pairs) {
    (values[name] ??= []).push(value);
  }
  return values;
};

const pathOf = (url: string): string => url.split("?", 1)[0] ?? "/";
const queryOf = (url: string): string => (url.includes("?") ? url.slice(url.indexOf("?") + 1) : "");

interface Result {
  readonly statusCode: number;
  readonly statusDescription?: string;
  readonly headers?: Record<string, string>;
  readonly multiValueHeaders?: Record<string, string[]>;
  readonly cookies?: readonly string[];
  readonly body?: string;
  readonly isBase64Encoded?: boolean;
}

const responseOf = (result: unknown): PlatformResponse => {
  const { statusCode, headers = {}, multiValueHeaders = {}, cookies = [], ...rest } = result as Result;
  return {
    status: statusCode,
    headers: [
      ...Object.entries(headers),
      ...Object.entries(multiValueHeaders).flatMap(([name, values]) => values.map((value) => [name, value] as const)),
      ...cookies.map((value) => ["set-cookie", value] as const),
    ],
    body: Buffer.from(rest.body ?? "", rest.isBase64Encoded === true ? "base64" : "utf8"),
  };
};

/** API Gateway's payload format 2.0, which function URLs have too. */
function version2(name: string, stage: string): Platform {
  return {
    name,
    eventOf(request) {
      const cookies = request.headers
        .filter(([header]) => header === "cookie")
        .flatMap(([, value]) => value.split("; "));
      const prefix = stage === "$default" ? "" : `/${stage}`;
      return {
        version: "2.0",
        routeKey: "$default",
        rawPath: prefix + pathOf(request.url),
        rawQueryString: queryOf(request.url),
        ...(cookies.length > 0 && { cookies }),
        headers: joined(request.headers.filter(([header]) => header !== "cookie")),
        requestContext: {
          stage,
          http: { method: request.method, path: pathOf(request.url), sourceIp: request.address },
        },
        ...bodyOf(request),
      };
    },
    responseOf,
  };
}

const version1: Platform = {
  name: "API Gateway, format 1.0",
  eventOf(request) {
    const query = [...new URLSearchParams(queryOf(request.url).replaceAll("+", "%20"))];
    return {
      resource: "/{proxy+}",
      path: pathOf(request.url),
      httpMethod: request.method,
      headers: last(request.headers),
      multiValueHeaders: lists(request.headers),
      queryStringParameters: query.length === 0 ? null : last(query),
      multiValueQueryStringParameters: query.length === 0 ? null : lists(query),
      requestContext: { stage: "prod", path: `/prod${pathOf(request.url)}`, identity: { sourceIp: request.address } },
      ...bodyOf(request),
    };
  },
  responseOf,
};

function loadBalancer(name: string, isMultiValue: boolean): Platform {
  return {
    name,
    eventOf(request) {
      const query = queryOf(request.url)
        .split("&")
        .filter((part) => part !== "")
        .map((part) => {
          const [key = "", ...value] = part.split("=");
          return [key, value.join("=")] as const;
        });
      const forwarded = [...request.headers, ["x-forwarded-for", request.address] as const];
      return {
        requestContext: { elb: { targetGroupArn: "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/docket/1" } },
        httpMethod: request.method,
        path: pathOf(request.url),
        ...(isMultiValue
          ? { multiValueQueryStringParameters: lists(query), multiValueHeaders: lists(forwarded) }
          : { queryStringParameters: last(query), headers: last(forwarded) }),
        ...bodyOf(request),
      };
    },
    responseOf(result) {
      const { statusCode, statusDescription, headers, multiValueHeaders } = result as Result;
      // A load balancer answers 502 otherwise.
      if (!statusDescription?.startsWith(`${statusCode} `))
        throw new Error(`no status description: ${statusDescription}`);
      if ((isMultiValue ? multiValueHeaders : headers) === undefined) throw new Error("headers in the wrong form");
      return responseOf(result);
    },
  };
}

/** All platforms with HTTP events. */
export const platforms: readonly Platform[] = [
  version2("API Gateway, format 2.0", "$default"),
  version2("API Gateway, format 2.0, with a stage", "prod"),
  version1,
  loadBalancer("a load balancer", false),
  loadBalancer("a load balancer with multi-value headers", true),
];

/** Reads a request of a server. */
export async function platformRequestOf(request: IncomingMessage): Promise<PlatformRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
  }
  const headers: [string, string][] = [];
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    headers.push([request.rawHeaders[at]?.toLowerCase() ?? "", request.rawHeaders[at + 1] ?? ""]);
  }
  return {
    method: request.method ?? "GET",
    url: request.url ?? "/",
    headers: headers.filter(([name]) => name !== "connection" && name !== "transfer-encoding"),
    body: Buffer.concat(chunks),
    address: request.socket.remoteAddress ?? "",
  };
}
