import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { createSecureServer as createHttp2SecureServer, createServer as createHttp2Server } from "node:http2";
import { createServer as createHttpsServer, type ServerOptions } from "node:https";
import type { AddressInfo, Server } from "node:net";
import type { HttpHandler } from "../../http/listener/listener.ts";
import { createHttpHandler } from "../../http-handler.ts";
import { echoMethods, libraryMethods, testSpec } from "../support/test-api.ts";
import { answerRunner, readSuite, type Wanted } from "./runner.ts";
import { conformanceSpec } from "./service.ts";

/**
 * The gateway as tested by the Connect conformance suite, with REST mounted beside it. The first argument is the
 * descriptor set of the suite's own protos.
 */
const [descriptorSet = ""] = process.argv.slice(2);
const suite = readSuite(descriptorSet);

/** Longer than the runner may pause before its next case. */
const keep = { keepAliveTimeout: 120_000 };

await answerRunner(suite, async (wanted) => {
  const handler = createHttpHandler({
    specs: [conformanceSpec(suite), testSpec("Library", libraryMethods()), testSpec("Echo", echoMethods())],
    registry: suite,
    maxBodyBytes: wanted.messageReceiveLimit,
  });
  const server = makeServer(wanted, handler);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server.address() as AddressInfo;
});

function makeServer({ httpVersion, tls }: Wanted, handler: HttpHandler): Server {
  const secure = tls && {
    ...tls,
    ...(tls.clientCa && { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true }),
  };
  switch (httpVersion) {
    case 1:
      return secure === undefined ? createServer(keep, handler) : makeHttpsServer(secure, handler as RequestListener);
    case 2:
      return secure === undefined ? createHttp2Server(handler) : createHttp2SecureServer(secure, handler);
    default:
      throw new Error(`HTTP version ${httpVersion} is not served`);
  }
}

/**
 * If a client sends its next request before a large response is drained, Node's parser is paused but still receives the
 * TLS records already read: "Parse Error: Paused", and the connection is lost. With an additional listener the socket
 * keeps them in its buffer.
 */
function makeHttpsServer(secure: ServerOptions, listener: RequestListener): Server {
  const server = createHttpsServer({ ...keep, ...secure }, listener);
  server.on("secureConnection", (socket) => socket.on("data", () => undefined));
  return server;
}
