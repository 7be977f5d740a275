import type { DescService } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import type { ServiceTokens } from "../runtime/auth/service-tokens.ts";
import type { LocalTransport } from "../runtime/call/local-transport.ts";
import { createRetryInterceptor } from "../runtime/grpc/retry.ts";
import { createGrpcTransport } from "../runtime/grpc/transport.ts";
import { definitions } from "./definitions.ts";
import { type ServiceName, serviceNames, type Target } from "./targets.ts";

/** How every service is reached from this process. */
export interface Mesh extends AsyncDisposable {
  /** Calls a service in this process where it is one of the targets, and at its address otherwise. */
  readonly transport: Transport;
  /** The services of other processes. */
  readonly remotes: readonly Remote[];
}

export interface Remote {
  readonly name: ServiceName;
  readonly services: readonly DescService[];
  readonly transport: Transport;
}

export interface MeshOptions {
  readonly local: LocalTransport;
  readonly targets: ReadonlySet<Target>;
  /** `host:port` of each service that is not a target. */
  readonly addresses: ReadonlyMap<string, string>;
  /** Proves to other processes which service calls; needed where there are any. */
  readonly tokens: ServiceTokens | undefined;
}

/** Opens no connection: each remote service is connected to with the first call. */
export function createMesh({ local, targets, addresses, tokens }: MeshOptions): Mesh {
  const opened = serviceNames
    .filter((name) => !targets.has(name))
    .map((name) => {
      const interceptors = [createRetryInterceptor(), ...(tokens === undefined ? [] : [tokens.sign])];
      const connection = createGrpcTransport({ address: addresses.get(name) ?? "", interceptors });
      return { name, services: definitions[name].services, connection };
    });
  const remoteOf = new Map(
    opened.flatMap(({ services, connection }) => services.map((service) => [service, connection.transport] as const)),
  );
  const towards = (service: DescService) => remoteOf.get(service) ?? local.transport;
  return {
    transport: {
      unary: (method, ...call) => towards(method.parent).unary(method, ...call),
      stream: (method, ...call) => towards(method.parent).stream(method, ...call),
    },
    remotes: opened.map(({ name, services, connection: { transport } }) => ({ name, services, transport })),
    async [Symbol.asyncDispose]() {
      await Promise.all(opened.map(({ connection }) => connection[Symbol.asyncDispose]()));
    },
  };
}
