import { isIP } from "node:net";
import { Code } from "@connectrpc/connect";
import { type ChannelOptions, Client, connectivityState } from "@grpc/grpc-js";
import { gatewayError } from "../../errors.ts";
import { cancelAbruptly } from "../../http/listener/abrupt-cancel.ts";
import { type Resolve, resolveHost, showAddress, showTarget, type Target } from "./addresses.ts";
import { type DirectChannel, openDirectChannel } from "./direct-channel.ts";
import { defaultKeepaliveMs, keepaliveTimeoutMs } from "./direct-connections.ts";
import { type HealthWatch, watchHealth } from "./health.ts";
import { credentialsOf, type UpstreamTls } from "./upstream-tls.ts";

/** The state of one address, for operators, or of a name that has not been resolved yet. */
export interface AddressState {
  readonly address: string;
  readonly state: "ready" | "connecting" | "not-serving" | "unreachable";
}

/** The connections to one address: grpc-js's and, except for TLS over a Unix socket, a direct channel. */
export interface Connections {
  readonly client: Client;
  readonly direct: DirectChannel | undefined;
}

/** Connections to every address of the upstream, shared by all calls. */
export interface Pool extends Disposable {
  /** Resolves after the first lookup of every name, whether successful or not. */
  readonly opened: Promise<void>;
  /**
   * The connections for the next call: round robin over the serving addresses; if none is known to serve, one whose
   * health is unknown.
   *
   * @throws ConnectError UNAVAILABLE if every address reports that it is not serving, or there is none.
   */
  pick(): Connections;
  states(): AddressState[];
}

export interface PoolOptions {
  /** If undefined, connections have no TLS. */
  readonly tls?: UpstreamTls | undefined;
  /** Enables health checks of the addresses. */
  readonly healthCheck: boolean;
  /** The name that a server's certificate must have, which is also the authority of calls, instead of the host. */
  readonly serverName?: string | undefined;
  /**
   * Interval of pings on a connection with calls, in milliseconds; 0 disables them (default: five minutes and ten
   * seconds).
   */
  readonly keepaliveMs?: number | undefined;
  readonly resolve?: Resolve;
  /** Called with the reason of each failed lookup. */
  readonly onFailure?: (reason: string) => void;
  /** Interval at which a host's addresses are resolved again, in milliseconds. */
  readonly resolveEveryMs?: number;
}

const channelOptions: ChannelOptions = {
  "grpc.keepalive_timeout_ms": keepaliveTimeoutMs,
  // Reconnects soon after a server restarts; gRPC's own maximum of two minutes is meant for millions of clients.
  "grpc.initial_reconnect_backoff_ms": 200,
  "grpc.max_reconnect_backoff_ms": 5000,
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
  // The upstream is dialled directly: a proxy from the environment is for the internet.
  "grpc.enable_http_proxy": 0,
  "grpc.service_config_disable_resolution": 1,
  "grpc-node.max_session_memory": Number.MAX_SAFE_INTEGER,
};

interface Endpoint extends Connections {
  readonly address: string;
  readonly watch: HealthWatch | undefined;
}

/** Connects to the targets. A name that does not resolve is retried until it does. */
export function openPool(targets: readonly Target[], options: PoolOptions): Pool {
  const {
    resolve = resolveHost,
    resolveEveryMs = 10_000,
    tls,
    healthCheck,
    serverName,
    keepaliveMs = defaultKeepaliveMs,
  } = options;
  cancelAbruptly();
  const credentials = credentialsOf(tls);
  let endpoints: Endpoint[] = [];
  let turn = 0;
  let disposed = false;
  const timers = new Set<NodeJS.Timeout>();
  const lookups: Promise<void>[] = [];
  const unresolved = new Set<Target>();

  const open = (address: string, name: string | undefined): Endpoint => {
    const known = serverName ?? name;
    const client = new Client(address, credentials, {
      ...channelOptions,
      ...(keepaliveMs === 0 ? {} : { "grpc.keepalive_time_ms": keepaliveMs }),
      ...(known === undefined
        ? {}
        : { "grpc.default_authority": known, "grpc.ssl_target_name_override": known.replace(/:\d+$/, "") }),
    });
    client.getChannel().getConnectivityState(true);
    const hasDirect = tls === undefined || !address.startsWith("unix:");
    return {
      address,
      client,
      direct: hasDirect ? openDirectChannel(address, { authority: known, keepaliveMs, tls }) : undefined,
      watch: healthCheck ? watchHealth(client) : undefined,
    };
  };

  const close = ({ client, direct, watch }: Endpoint): void => {
    watch?.[Symbol.dispose]();
    direct?.[Symbol.dispose]();
    client.close();
  };

  const follow = (target: Extract<Target, { kind: "host" }>): void => {
    let mine: Endpoint[] = [];
    const update = async (): Promise<void> => {
      let addresses: readonly string[] = [];
      try {
        addresses = (await resolve(target.host)).map((ip) => showAddress(ip, target.port));
      } catch (error) {
        // The known addresses of the host are kept, and the lookup is retried.
        options.onFailure?.(error instanceof Error ? error.message : String(error));
      }
      if (disposed) return;
      if (addresses.length > 0) {
        unresolved.delete(target);
        const gone = mine.filter(({ address }) => !addresses.includes(address));
        const kept = mine.filter(({ address }) => addresses.includes(address));
        const added = [...new Set(addresses)]
          .filter((address) => !kept.some((endpoint) => endpoint.address === address))
          .map((address) => open(address, showAddress(target.host, target.port)));
        endpoints = [...endpoints.filter((endpoint) => !gone.includes(endpoint)), ...added];
        mine = [...kept, ...added];
        gone.forEach(close);
      }
      const timer = setTimeout(
        () => {
          timers.delete(timer);
          void update();
        },
        mine.length === 0 ? Math.min(1000, resolveEveryMs) : resolveEveryMs,
      ).unref();
      timers.add(timer);
    };
    unresolved.add(target);
    lookups.push(update());
  };

  for (const target of targets) {
    if (target.kind === "unix") endpoints.push(open(target.address, undefined));
    else if (isIP(target.host) > 0) endpoints.push(open(showAddress(target.host, target.port), undefined));
    else follow(target);
  }

  /** The next endpoint in the state, round robin. */
  const next = (state: AddressState["state"]): Endpoint | undefined => {
    const [only] = endpoints;
    if (endpoints.length === 1 && only !== undefined) return stateOf(only) === state ? only : undefined;
    const eligible = endpoints.filter((endpoint) => stateOf(endpoint) === state);
    turn = (turn + 1) % Number.MAX_SAFE_INTEGER;
    return eligible[turn % eligible.length];
  };

  return {
    opened: Promise.all(lookups).then(() => undefined),
    pick() {
      const found = next("ready") ?? next("connecting") ?? next("unreachable");
      if (found !== undefined) return found;
      throw gatewayError({
        code: Code.Unavailable,
        reason: endpoints.length === 0 ? "UPSTREAM_UNAVAILABLE" : "UPSTREAM_NOT_SERVING",
        message:
          endpoints.length === 0 ? "the upstream cannot be reached" : "the upstream does not serve at the moment",
      });
    },
    states: () => [
      ...endpoints.map((endpoint) => ({ address: endpoint.address, state: stateOf(endpoint) })),
      ...[...unresolved].map((target) => ({ address: showTarget(target), state: "unreachable" as const })),
    ],
    [Symbol.dispose]() {
      disposed = true;
      for (const timer of timers) clearTimeout(timer);
      endpoints.forEach(close);
      endpoints = [];
    },
  };
}

function stateOf({ client, watch }: Endpoint): AddressState["state"] {
  const connectivity = client.getChannel().getConnectivityState(true);
  if (connectivity === connectivityState.TRANSIENT_FAILURE) return "unreachable";
  if (connectivity !== connectivityState.READY || watch?.health === "pending") return "connecting";
  return watch?.health === "not-serving" ? "not-serving" : "ready";
}
