/** Limits of a server's ports for unauthenticated clients, the same on every protocol. */
export interface ServerLimits {
  /** Open connections per port. */
  readonly connections: number;
  /** Open connections per port and client address; an IPv6 /64 network counts as one address. */
  readonly connectionsPerAddress: number;
  /** Open requests per HTTP/2 connection. */
  readonly streamsPerConnection: number;
  /** Open requests on all HTTP/2 connections of a port. */
  readonly streams: number;
  /** Open requests on all HTTP/2 connections of a port per client address. */
  readonly streamsPerAddress: number;
  /** Idle time after which a connection with open requests is closed: no byte moves in either direction. */
  readonly idleMs: number;
  /** Minimum average rate of a request message in each window; a slower one is aborted. */
  readonly minBytesPerSecond: number;
  /** The window in which the rate of a message is measured, and the time allowed for it to start. */
  readonly rateWindowMs: number;
  /** Maximum time for a request message to arrive completely. */
  readonly bodyTimeoutMs: number;
  /** Buffered bytes of unfinished request messages in the process. */
  readonly bufferedBytes: number;
  /** Buffered bytes of unfinished request messages per connection. */
  readonly bufferedBytesPerConnection: number;
  /** A response is aborted if the client reads none of it for this long. */
  readonly stallMs: number;
  /**
   * How long an HTTP/1 client may continue to send a request that has its response, before its connection is closed.
   */
  readonly lingerMs: number;
  /** How many bytes it may send meanwhile; they are discarded. */
  readonly lingerBytes: number;
}

const mib = 1024 * 1024;

/** Default limits. */
export const defaultServerLimits: ServerLimits = {
  connections: 10_000,
  connectionsPerAddress: 2000,
  streamsPerConnection: 1000,
  streams: 20_000,
  streamsPerAddress: 5000,
  // Streams may be idle for long.
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
