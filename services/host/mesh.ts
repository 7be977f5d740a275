import type { DescService } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import type { ServiceTokens } from "../runtime/auth/service-tokens.ts";
import type { LocalTransport } from "../runtime/call/local-transport.ts";
import { definitions } from "./definitions.ts";
import type { ServiceName } from "./targets.ts";

/** Access to every service from this process. */
export interface Mesh extends AsyncDisposable {
  /** Calls a service in this process if it is a target, otherwise at its address. */
  readonly transport: Transport;
  /** Calls the process of a service, for RPCs that every process serves. */
  readonly transportTo: (service: ServiceName) => Transport;
  /** The services in other processes. */
  readonly remotes: readonly Remote[];
}

export interface Remote {
  readonly name: ServiceName;
  readonly services: readonly DescService[];
  readonly transport: Transport;
}

export interface MeshOptions {
  readonly local: LocalTransport;
  /** The services in other processes. */
  readonly remoteServices: readonly ServiceName[];
  /** `host:port` of each of them. */
  readonly addresses: ReadonlyMap<string, string>;
  /** Authenticates this process's services to other processes; required if there are any. */
  readonly tokens: ServiceTokens | undefined;
}

/** Creates the mesh without opening connections: each remote service is connected to on its first call. */
export async function createMesh({ local, remoteServices, addresses, tokens }: MeshOptions): Promise<Mesh> {
  const connect = remoteServices.length === 0 ? undefined : await grpcConnector(tokens);
  const opened = remoteServices.flatMap((name) => {
    const connection = connect?.(addresses.get(name) ?? "");
    return connection === undefined ? [] : [{ name, services: definitions[name].services, connection }];
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
    transportTo: (service) => opened.find(({ name }) => name === service)?.connection.transport ?? local.transport,
    remotes: opened.map(({ name, services, connection: { transport } }) => ({ name, services, transport })),
    async [Symbol.asyncDispose]() {
      await Promise.all(opened.map(({ connection }) => connection[Symbol.asyncDispose]()));
    },
  };
}

/** Loads the gRPC client, which a process with every service does not need. */
async function grpcConnector(tokens: ServiceTokens | undefined) {
  const [{ createGrpcTransport }, { createRetryInterceptor }] = await Promise.all([
    import("../runtime/grpc/transport.ts"),
    import("../runtime/grpc/retry.ts"),
  ]);
  return (address: string) =>
    createGrpcTransport({
      address,
      interceptors: [createRetryInterceptor(), ...(tokens === undefined ? [] : [tokens.sign])],
    });
}
