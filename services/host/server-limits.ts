import { defaultServerLimits, type ServerLimits } from "../../gateway/http/limits/server-limits.ts";
import type { Live } from "../runtime/config/live.ts";
import type { HostConfig } from "./config.ts";

/** The configured limits of every port. Those of connections follow the configuration. */
export function serverLimitsOf(live: Live<HostConfig>): ServerLimits {
  const config = live.current;
  // A single request of the largest size must fit.
  const largest = config.maxBodyBytes + 1024;
  return {
    ...defaultServerLimits,
    get connections() {
      return live.current.maxConnections;
    },
    get connectionsPerAddress() {
      return live.current.maxConnectionsPerAddress;
    },
    streamsPerConnection: config.maxStreamsPerConnection,
    minBytesPerSecond: config.minBodyRate,
    bodyTimeoutMs: config.bodyTimeoutMs,
    bufferedBytes: Math.max(config.maxBufferedBytes, largest),
    bufferedBytesPerConnection: Math.max(config.maxBufferedBytes / 4, largest),
    idleMs: config.streamIdleMs,
    stallMs: config.stallMs,
    lingerMs: config.lingerMs,
    lingerBytes: config.lingerBytes,
  };
}
