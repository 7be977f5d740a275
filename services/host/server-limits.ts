import { defaultServerLimits, type ServerLimits } from "../../gateway/http/server-limits.ts";
import type { HostConfig } from "./config.ts";

/** The configured limits of every port. */
export function serverLimitsOf(config: HostConfig): ServerLimits {
  // A single request of the largest size must fit.
  const largest = config.maxBodyBytes + 1024;
  return {
    ...defaultServerLimits,
    connections: config.maxConnections,
    connectionsPerAddress: config.maxConnectionsPerAddress,
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
