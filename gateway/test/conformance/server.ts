import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { createSecureServer as createHttp2SecureServer, createServer as createHttp2Server } from "node:http2";
import { createServer as createHttpsServer, type ServerOptions } from "node:https";
import type { AddressInfo, Server } from "node:net";
import type { HttpHandler } from "../../http/listener.ts";
import { createHttpHandler } from "../../http-handler.ts";
import { echoMethods, libraryMethods, testSpec } from "../support/test-api.ts";
import { answerRunner, readSuite, type Wanted } from "./runner.ts";
import { conformanceSpec } from "./service.ts";

/**
 * The gateway as the Connect conformance suite tests it, with REST mounted beside. The first argument is the descriptor
 * set of the suite's own protos.
 */
const [descriptorSet = ""] = process.argv.slice(2);
const suite = readSuite(descriptorSet);

/** Connections are kept for longer than the runner may think about its next case. */
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
 * Where a client sends its next request before a large answer is drained, Node's parser is paused and is yet given the
 * TLS records that were read already: "Parse Error: Paused", and the connection is gone. With a listener of its own the
 * socket keeps them in its buffer.
 */
function makeHttpsServer(secure: ServerOptions, listener: RequestListener): Server {
  const server = createHttpsServer({ ...keep, ...secure }, listener);
  server.on("secureConnection", (socket) => socket.on("data", () => undefined));
  return server;
}
