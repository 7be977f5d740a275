import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Platform, platformRequestOf } from "./events.ts";

/** Calls a function with an event; resolves with its result. */
export type Invoke = (event: object) => Promise<unknown>;

/** An HTTP server that stands for a platform in front of a function. */
export interface PlatformFront extends AsyncDisposable {
  readonly url: string;
}

/** Starts one on a loopback port. A function that fails is a 502, as on the platform. */
export async function startPlatformFront(platform: () => Platform, invoke: Invoke, port = 0): Promise<PlatformFront> {
  const server = createServer((request, response) => {
    const serve = async () => {
      const { status, headers, body } = platform().responseOf(
        await invoke(platform().eventOf(await platformRequestOf(request))),
      );
      for (const [name, value] of headers) {
        response.appendHeader(name, value);
      }
      response.writeHead(status).end(body);
    };
    serve().catch((error: unknown) => response.writeHead(502).end(String(error)));
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
