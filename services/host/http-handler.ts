import { createContextValues } from "@connectrpc/connect";
import { clientAddressOf } from "../../gateway/http/client-address.ts";
import type { HttpHandler } from "../../gateway/http/listener/listener.ts";
import { defaultRequestHeaders } from "../../gateway/http/metadata.ts";
import { createHttpHandler } from "../../gateway/http-handler.ts";
import { readOpenapi } from "../openapi-documents.ts";
import { type Live, mapLive } from "../runtime/config/live.ts";
import { clientAddressKey } from "../runtime/context-values.ts";
import { readPositionHeader } from "../runtime/interceptors/read-position.ts";
import type { Logger } from "../runtime/telemetry/log.ts";
import type { Composition } from "./compose.ts";
import type { HostConfig } from "./config.ts";

export interface HostHandlerOptions {
  readonly config: HostConfig;
  readonly log: Logger;
  readonly composition: Composition;
  /** Whether the RPCs between processes are served too. Default false. */
  readonly internal?: boolean;
  /** Whether the documentation is served, if the configuration says so. Default true. */
  readonly docs?: boolean;
  readonly shutdownSignal?: AbortSignal;
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

/** Creates the handler of REST, Connect, gRPC-Web, gRPC over HTTP/2 and the documentation. */
export async function createHostHandler(options: HostHandlerOptions): Promise<HttpHandler> {
  const { config, log, composition, internal = false, docs = true, shutdownSignal } = options;
  const forwarding = forwardingOf(config);
  return createHttpHandler({
    specs: internal ? [...composition.specs, ...composition.internalSpecs] : composition.specs,
    admit: composition.admit,
    interceptors: composition.interceptors,
    errorDomain: "docket",
    requestHeaders: [...defaultRequestHeaders, readPositionHeader, ...signatureHeaders],
    maxBodyBytes: config.maxBodyBytes,
    meter: composition.meter,
    stallMs: config.stallMs,
    contextValues: ({ socket, headers }) => {
      const forwarded = headers[forwarding.header]?.toString();
      return createContextValues().set(
        clientAddressKey,
        clientAddressOf(socket.remoteAddress ?? "", forwarded, forwarding),
      );
    },
    maxElements: config.maxRequestElements,
    decodeBudget: composition.decodeBudget,
    ...(shutdownSignal && { shutdownSignal }),
    cors: {
      origins: config.corsOrigins.includes("*") ? "*" : config.corsOrigins,
      exposedHeaders: [readPositionHeader],
    },
    ...(docs && config.docs && { openapi: await readOpenapi() }),
    // An aborted request is not a server fault.
    onError: (err, request) => log[request.destroyed ? "debug" : "error"]({ err }, "a request failed in the gateway"),
  });
}

/** Creates a handler that is replaced when the configuration changes whether documents are served, and to which origins. */
export async function createLiveHandler(
  live: Live<HostConfig>,
  options: Omit<HostHandlerOptions, "config">,
): Promise<HttpHandler> {
  const followed = mapLive(live, ({ docs, corsOrigins }) => ({ docs, corsOrigins }));
  let current = await createHostHandler({ ...options, config: live.current });
  followed.onChange(() => {
    createHostHandler({ ...options, config: live.current }).then(
      (next) => {
        current = next;
      },
      (err: unknown) => options.log.error({ err }, "the changed settings of the HTTP port have no effect"),
    );
  });
  return Object.assign((...args: Parameters<HttpHandler>) => current(...args), {
    upgrade: (...args: Parameters<HttpHandler["upgrade"]>) => current.upgrade(...args),
    shouldUpgrade: (...args: Parameters<HttpHandler["shouldUpgrade"]>) => current.shouldUpgrade(...args),
  });
}

/** The trusted proxies, and the header with the client address. */
export function forwardingOf({ trustedProxies, forwardedHeader }: HostConfig) {
  return { trustedProxies, header: forwardedHeader };
}
