import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2, constants } from "node:http2";
import { connect, type Socket } from "node:net";
import { WebSocket } from "ws";

/**
 * A client that has sent one whole request message of a stream and part of what follows.
 *
 * `leave` aborts its connection or its request.
 */
export interface LeavingClient {
  readonly leave: () => void;
}

/** A way to send the beginning of a stream. `method` is called on the test API's Library. */
export interface WayToLeave {
  readonly name: string;
  readonly method: string;
  readonly open: (url: string) => Promise<LeavingClient>;
}

const chunked = "Transfer-Encoding: chunked\r\n";
const chunk = (data: string): string => `${Buffer.byteLength(data).toString(16)}\r\n${data}\r\n`;
const envelope = (data: string): string => `\0\0\0\0${String.fromCharCode(data.length)}${data}`;
/** `Book` with the name "1". */
const binaryBook = "\x0a\x011";
const rpc = (method: string): string => `/gateway.test.v1.Library/${method}`;

const http1Bodies: readonly { name: string; method: string; path: string; headers: string; body: string }[] = [
  ...[
    { name: "less than Content-Length", headers: "Content-Length: 100\r\n", body: '{"name":"1"}' },
    { name: "chunks of NDJSON", headers: chunked, body: chunk('{"name":"1"}\n') },
    { name: "chunks of NDJSON, within a message", headers: chunked, body: chunk('{"name":"1"}\n{"na') },
    { name: "an array that is not closed", headers: chunked, body: chunk('[{"name":"1"}') },
    { name: "an array after a comma", headers: chunked, body: chunk('[{"name":"1"},') },
    { name: "within a chunk", headers: chunked, body: '100\r\n{"name":"1"}\n' },
  ].map((way) => ({ method: "ImportBooks", path: "/v1/books:import", ...way })),
  {
    ...{ name: "HttpBody, 5 of 100 bytes", method: "UploadBooks", path: "/v1/books:upload" },
    ...{ headers: "Content-Type: text/csv\r\nContent-Length: 100\r\n", body: "a,b,c" },
  },
  {
    ...{ name: "HttpBody in chunks", method: "UploadBooks", path: "/v1/books:upload" },
    ...{ headers: `Content-Type: text/csv\r\n${chunked}`, body: chunk("a,b,c") },
  },
  {
    ...{ name: "Connect, JSON", method: "ImportBooks", path: rpc("ImportBooks") },
    ...{ headers: `Content-Type: application/connect+json\r\n${chunked}`, body: chunk(envelope('{"name":"1"}')) },
  },
  {
    ...{ name: "Connect, within a message", method: "ImportBooks", path: rpc("ImportBooks") },
    headers: `Content-Type: application/connect+proto\r\n${chunked}`,
    body: chunk(`${envelope(binaryBook)}\0\0\0`),
  },
  {
    ...{ name: "gRPC-Web", method: "ImportBooks", path: rpc("ImportBooks") },
    ...{ headers: `Content-Type: application/grpc-web+proto\r\n${chunked}`, body: chunk(envelope(binaryBook)) },
  },
  {
    ...{ name: "Connect, both ways", method: "Chat", path: rpc("Chat") },
    ...{ headers: `Content-Type: application/connect+json\r\n${chunked}`, body: chunk(envelope('{"text":"1"}')) },
  },
];

const http1Ends: readonly [string, (socket: Socket) => void][] = [
  ["closes", (socket) => socket.destroy()],
  ["resets", (socket) => socket.resetAndDestroy()],
];

const overHttp1 = http1Bodies.flatMap(({ name, method, path, headers, body }) =>
  http1Ends.map(
    ([end, leave]): WayToLeave => ({
      name: `${name}: ${end}`,
      method,
      async open(url) {
        const { hostname, port } = new URL(url);
        const socket = connect(Number(port), hostname);
        socket.on("error", () => undefined);
        await once(socket, "connect");
        socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n${body}`, "latin1");
        return { leave: () => leave(socket) };
      },
    }),
  ),
);

const overWebSockets = (
  [
    ["ImportBooks", "/v1/books:import", '{"name":"1"}'],
    ["Chat", "/v1/chat/a", '{"text":"1"}'],
  ] as const
).flatMap(([method, path, text]) =>
  (
    [
      ["closes with 1000", (socket: WebSocket) => socket.close(1000)],
      ["breaks off", (socket: WebSocket) => socket.terminate()],
    ] as const
  ).map(
    ([end, leave]): WayToLeave => ({
      name: `a WebSocket for ${method}: ${end}`,
      method,
      async open(url) {
        const socket = new WebSocket(`${url.replace(/^http/, "ws")}${path}`);
        socket.on("error", () => undefined);
        await once(socket, "open");
        socket.send(text);
        return { leave: () => leave(socket) };
      },
    }),
  ),
);

/** The ways to disconnect on HTTP/1. */
export const http1Ways: readonly WayToLeave[] = [...overHttp1, ...overWebSockets];

/** The ways to disconnect on HTTP/2. @param ca PEM of the server's authority, if it uses TLS. */
export function http2Ways(ca?: string): WayToLeave[] {
  const requests: readonly [string, string, string, string, string][] = [
    ["NDJSON", "ImportBooks", "/v1/books:import", "application/json", '{"name":"1"}\n'],
    ["an array that is not closed", "ImportBooks", "/v1/books:import", "application/json", '[{"name":"1"}'],
    ["HttpBody", "UploadBooks", "/v1/books:upload", "text/csv", "a,b,c"],
    ["Connect", "ImportBooks", rpc("ImportBooks"), "application/connect+json", envelope('{"name":"1"}')],
    ["gRPC-Web", "ImportBooks", rpc("ImportBooks"), "application/grpc-web+proto", envelope(binaryBook)],
    ["gRPC", "ImportBooks", rpc("ImportBooks"), "application/grpc+proto", envelope(binaryBook)],
    ["gRPC, both ways", "Chat", rpc("Chat"), "application/grpc+proto", envelope("\x12\x011")],
  ];
  return requests.flatMap(([name, method, path, contentType, body]) =>
    ["resets its stream", "drops the connection"].map((end) => ({
      name: `HTTP/2, ${name}: ${end}`,
      method,
      async open(url: string) {
        const session: ClientHttp2Session = connectHttp2(url, ca === undefined ? {} : { ca });
        session.on("error", () => undefined);
        await once(session, "connect");
        const gone = new AbortController();
        const headers = { ":method": "POST", ":path": path, "content-type": contentType, te: "trailers" };
        // A signal only resets the stream; close() ends it first.
        const stream = session.request(headers, { signal: gone.signal });
        stream.on("error", () => undefined);
        stream.on("close", () => session.destroy());
        stream.write(body, "latin1");
        return {
          leave: () => (end === "drops the connection" ? session.destroy() : gone.abort(constants.NGHTTP2_CANCEL)),
        };
      },
    })),
  );
}
