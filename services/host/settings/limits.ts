import * as v from "valibot";
import { defaultServerLimits as defaults } from "../../../gateway/http/limits/server-limits.ts";
import { durationText } from "../../runtime/config/duration.ts";
import { integer, milliseconds } from "../../runtime/config/scalars.ts";

/** Limits of requests and connections, the same on every port. */
export const limitSettings = v.object({
  maxBodyBytes: integer("DOCKET_MAX_BODY_BYTES", {
    default: 4 * 1024 * 1024,
    min: 1024,
    unit: "bytes",
    description: "Maximum size of a unary request, and of a message of a stream.",
  }),
  maxRequestElements: integer("DOCKET_MAX_REQUEST_ELEMENTS", {
    default: 100_000,
    min: 1000,
    description: "Maximum number of messages, list elements and map entries in one request.",
  }),
  maxDecodingBytes: integer("DOCKET_MAX_DECODING_BYTES", {
    default: 256 * 1024 * 1024,
    min: 1024 * 1024,
    unit: "bytes",
    description: "Total of concurrently decompressed requests; further requests wait, and get 429 after 5 s.",
  }),
  maxConnections: integer("DOCKET_MAX_CONNECTIONS", {
    live: true,
    default: defaults.connections,
    min: 1,
    description: "Open connections of a port.",
  }),
  maxConnectionsPerAddress: integer("DOCKET_MAX_CONNECTIONS_PER_ADDRESS", {
    live: true,
    default: defaults.connectionsPerAddress,
    min: 1,
    description: "Open connections of a port per client address.",
  }),
  maxStreamsPerConnection: integer("DOCKET_MAX_STREAMS_PER_CONNECTION", {
    default: defaults.streamsPerConnection,
    min: 1,
    description: "Concurrent calls on one HTTP/2 connection.",
  }),
  minBodyRate: integer("DOCKET_MIN_BODY_RATE", {
    default: defaults.minBytesPerSecond,
    unit: "bytes per second",
    description: "Minimum rate of a request body, except those of streams.",
  }),
  bodyTimeoutMs: milliseconds("DOCKET_BODY_TIMEOUT", {
    default: durationText(defaults.bodyTimeoutMs),
    description: "Time limit to receive a request body, except those of streams.",
  }),
  maxBufferedBytes: integer("DOCKET_MAX_BUFFERED_BYTES", {
    default: defaults.bufferedBytes,
    min: 1024,
    unit: "bytes",
    description: "Total of unfinished requests in the process; a quarter of it per connection.",
  }),
  stallMs: milliseconds("DOCKET_STALL_TIMEOUT", {
    default: durationText(defaults.stallMs),
    description:
      "A response from which the client reads nothing for this long is ended, after twice this time at the latest.",
  }),
  lingerMs: milliseconds("DOCKET_LINGER_TIMEOUT", {
    default: durationText(defaults.lingerMs),
    description: "How long a client may continue to send its request after the response.",
  }),
  lingerBytes: integer("DOCKET_MAX_LINGER_BYTES", {
    default: defaults.lingerBytes,
    unit: "bytes",
    description: "How many bytes a client may continue to send after the response.",
  }),
  streamIdleMs: milliseconds("DOCKET_STREAM_IDLE_TIMEOUT", {
    default: durationText(defaults.idleMs),
    description: "Idle time after which a stream is closed.",
  }),
});
