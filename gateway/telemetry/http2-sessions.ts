import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Http2Session, Http2Stream } from "node:http2";

/** The HTTP/2 sessions of the process that have served or made a call, of every server and client in it. */
export interface Http2Sessions extends Disposable {
  /** Open sessions with the time of their first stream, in milliseconds of `performance.now()`. */
  readonly open: Readonly<Record<"server" | "client", ReadonlyMap<Http2Session, number>>>;
}

/** Follows the sessions by Node's diagnostics channels, which see those of grpc-js too. */
export function followHttp2Sessions(): Http2Sessions {
  const sides = (["server", "client"] as const).map((side) => {
    const sessions = new Map<Http2Session, number>();
    const channel = `http2.${side}.stream.created`;
    const onStream = (message: unknown) => {
      const { session } = (message as { readonly stream: Http2Stream }).stream;
      if (session !== undefined && !session.closed && !session.destroyed && !sessions.has(session)) {
        sessions.set(session, performance.now());
        session.once("close", () => sessions.delete(session));
      }
    };
    subscribe(channel, onStream);
    return { side, sessions, stop: () => unsubscribe(channel, onStream) };
  });
  const [server, client] = sides.map(({ sessions }) => sessions);
  return {
    open: { server: server ?? new Map(), client: client ?? new Map() },
    [Symbol.dispose]() {
      for (const { stop } of sides) stop();
    },
  };
}
