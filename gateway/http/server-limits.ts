/** What a server's ports allow their clients, before anything is known about them. The same on every protocol. */
export interface ServerLimits {
  /** Open connections of a port. */
  readonly connections: number;
  /** Open connections of a port to one client address; an IPv6 /64 network counts as one address. */
  readonly connectionsPerAddress: number;
  /** Open requests of one HTTP/2 connection. */
  readonly streamsPerConnection: number;
  /** Open requests on all HTTP/2 connections of a port. */
  readonly streams: number;
  /** Open requests on all HTTP/2 connections of a port to one client address. */
  readonly streamsPerAddress: number;
  /** A connection with open requests on which no byte moves in either direction for this long is closed. */
  readonly idleMs: number;
  /** In every window a request message brings this many bytes per second on average, or ends. */
  readonly minBytesPerSecond: number;
  /** The window in which the rate of a message is measured, and the time that it has to begin. */
  readonly rateWindowMs: number;
  /** A request message has arrived whole after this time. */
  readonly bodyTimeoutMs: number;
  /** Bytes of unfinished request messages of the whole process. */
  readonly bufferedBytes: number;
  /** Bytes of unfinished request messages of one connection. */
  readonly bufferedBytesPerConnection: number;
  /** A response of which the client takes nothing for this long ends. */
  readonly stallMs: number;
  /** How long a client of HTTP/1 whose request has its response may go on sending it, before its connection is cut. */
  readonly lingerMs: number;
  /** How many bytes it may send meanwhile. They are discarded. */
  readonly lingerBytes: number;
}

const mib = 1024 * 1024;

/** Limits that hold unless configured otherwise. */
export const defaultServerLimits: ServerLimits = {
  connections: 10_000,
  connectionsPerAddress: 2000,
  streamsPerConnection: 1000,
  streams: 20_000,
  streamsPerAddress: 5000,
  // Streams may rest for long.
  idleMs: 60 * 60_000,
  minBytesPerSecond: 1024,
  rateWindowMs: 10_000,
  bodyTimeoutMs: 120_000,
  bufferedBytes: 128 * mib,
  bufferedBytesPerConnection: 32 * mib,
  stallMs: 60_000,
  lingerMs: 5000,
  lingerBytes: 16 * mib,
};
