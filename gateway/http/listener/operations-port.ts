import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { MetricsText } from "../../telemetry/metrics-text.ts";
import { type LingerLimits, lingeringResponse } from "./linger.ts";

export interface OperationsPortOptions {
  readonly host: string;
  /** 0 selects a free one. */
  readonly port: number;
  /** Served at `/metrics`; without them it is not found. */
  readonly metrics?: MetricsText | undefined;
  /** Responds to any other path, from memory: a probe must not wait for a dependency. */
  readonly probe: (path: string) => ProbeResponse;
  /** How long rejected clients may continue to send. Default `defaultServerLimits`. */
  readonly limits?: LingerLimits | undefined;
}

/** A JSON response. */
export interface ProbeResponse {
  readonly status: number;
  readonly body: object;
}

/** An open operations port. */
export interface OperationsPort extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
}

/**
 * Opens the port for probes and metrics. Only GET and HEAD are served, and no response may be cached.
 *
 * @throws if the port is in use or not permitted
 */
export async function openOperationsPort(options: OperationsPortOptions): Promise<OperationsPort> {
  const { host, metrics, probe, limits } = options;
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.setHeader("cache-control", "no-store");
    const json = ({ status, body }: ProbeResponse): void => {
      response.writeHead(status, { "content-type": "application/json" }).end(`${JSON.stringify(body)}\n`);
    };
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("allow", "GET, HEAD");
      json({ status: 405, body: { error: "only GET and HEAD are allowed" } });
      return;
    }
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    if (path !== "/metrics" || metrics === undefined) {
      json(probe(path));
      return;
    }
    const text = await metrics.read();
    response.writeHead(200, { "content-type": metrics.contentType }).end(text);
  };
  const server = createServer({ ServerResponse: lingeringResponse(limits) }, (request, response) => {
    respond(request, response).catch(() => response.writeHead(500).end());
  });
  server.listen(options.port, host);
  await once(server, "listening");
  const { address, port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://${address.includes(":") ? `[${address}]` : address}:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
