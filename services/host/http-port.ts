import { createContextValues, type Interceptor, type ServiceImplSpec } from "@connectrpc/connect";
import { clientAddressOf } from "../../gateway/http/client-address.ts";
import type { DecodeBudget } from "../../gateway/http/decode-budget.ts";
import type { HttpListener } from "../../gateway/http/listener.ts";
import { defaultRequestHeaders } from "../../gateway/http/metadata.ts";
import type { RequestMeter } from "../../gateway/http/request-meter.ts";
import { createHttpHandler } from "../../gateway/http-handler.ts";
import { readOpenapi } from "../openapi-documents.ts";
import { clientAddressKey } from "../runtime/context-values.ts";
import type { Admit } from "../runtime/interceptors/admission.ts";
import type { Logger } from "../runtime/telemetry/log.ts";
import type { HostConfig } from "./config.ts";

/** Dependencies of the HTTP port. */
export interface HttpPortOptions {
  readonly config: HostConfig;
  readonly specs: readonly ServiceImplSpec[];
  readonly admit: Admit;
  readonly interceptors: readonly Interceptor[];
  readonly log: Logger;
  readonly meter: RequestMeter;
  readonly decodeBudget: DecodeBudget;
}

/** Signature headers of payment providers and carriers. */
const signatureHeaders = [
  "webhook-*",
  "stripe-signature",
  "wechatpay-*",
  "paypal-*",
  "x-hmac-signature*",
  "aftership-*",
];

/** Serves REST, Connect, gRPC-Web and the documentation on a listening port. */
export async function serveHttp(http: HttpListener, options: HttpPortOptions): Promise<void> {
  const { config, log } = options;
  const forwarding = forwardingOf(config);
  http.serve(
    createHttpHandler({
      specs: options.specs,
      admit: options.admit,
      interceptors: options.interceptors,
      errorDomain: "docket",
      requestHeaders: [...defaultRequestHeaders, ...signatureHeaders],
      maxBodyBytes: config.maxBodyBytes,
      meter: options.meter,
      stallMs: config.stallMs,
      contextValues: ({ socket, headers }) => {
        const forwarded = headers[forwarding.header]?.toString();
        return createContextValues().set(
          clientAddressKey,
          clientAddressOf(socket.remoteAddress ?? "", forwarded, forwarding),
        );
      },
      maxElements: config.maxRequestElements,
      decodeBudget: options.decodeBudget,
      shutdownSignal: http.overdue,
      cors: { origins: config.corsOrigins.includes("*") ? "*" : config.corsOrigins },
      ...(config.docs && { openapi: await readOpenapi() }),
      // An aborted request is not a server fault.
      onError: (err, request) => log[request.destroyed ? "debug" : "error"]({ err }, "a request failed in the gateway"),
    }),
  );
}

/** The trusted proxies, and the header with the client address. */
export function forwardingOf({ trustedProxies, forwardedHeader }: HostConfig) {
  return { trustedProxies, header: forwardedHeader };
}
