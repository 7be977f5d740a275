import { create, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { ConnectError, createHandlerContext, type MethodImplSpec, type ServiceImplSpec } from "@connectrpc/connect";
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerErrorResponse,
  type ServerUnaryCall,
  type sendUnaryData,
  type UntypedHandleCall,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { StatusSchema } from "../../../gen/google/rpc/status_pb.js";

/** A gRPC server over the implementations, independent of the gateway. */
export interface GrpcUpstream extends AsyncDisposable {
  readonly address: string;
  /** Metadata of the last call. */
  lastMetadata(): Metadata | undefined;
  /** Number of calls, and of cancelled calls. */
  calls(): number;
  cancelled(): number;
}

export interface GrpcUpstreamOptions {
  readonly host?: string;
  /** Default: a free port. */
  readonly port?: number;
  readonly credentials?: ServerCredentials;
  /** Adds other services before the server starts. */
  readonly extend?: (server: Server) => void;
}

/** Starts the server. */
export async function startGrpcUpstream(
  specs: readonly ServiceImplSpec[],
  { host = "127.0.0.1", port: wanted = 0, credentials, extend }: GrpcUpstreamOptions = {},
): Promise<GrpcUpstream> {
  const server = new Server({ "grpc.max_receive_message_length": -1 });
  let last: Metadata | undefined;
  let calls = 0;
  let cancelled = 0;
  extend?.(server);
  for (const { service, methods } of specs) {
    const implementation: UntypedServiceImplementation = {};
    const definition = Object.fromEntries(
      Object.values(methods).map((spec) => {
        const { method } = spec;
        const serveCall = (call: AnyCall, done: sendUnaryData<Message>): void => {
          last = call.metadata;
          calls += 1;
          void handle(spec, call, done, () => {
            cancelled += 1;
          });
        };
        implementation[method.name] = serveCall as unknown as UntypedHandleCall;
        return [
          method.name,
          {
            path: `/${service.typeName}/${method.name}`,
            requestStream: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
            responseStream: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
            requestSerialize: (message: Message) => Buffer.from(toBinary(method.input, message)),
            requestDeserialize: (bytes: Buffer) => fromBinary(method.input, bytes),
            responseSerialize: (message: Message) => Buffer.from(toBinary(method.output, message)),
            responseDeserialize: (bytes: Buffer) => fromBinary(method.output, bytes),
          },
        ];
      }),
    );
    server.addService(definition, implementation);
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${host}:${wanted}`, credentials ?? ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return {
    address: `${host}:${port}`,
    lastMetadata: () => last,
    calls: () => calls,
    cancelled: () => cancelled,
    [Symbol.asyncDispose]: async () => server.forceShutdown(),
  };
}

type AnyCall = ServerDuplexStream<Message, Message> & ServerUnaryCall<Message, Message>;

async function handle(
  spec: MethodImplSpec,
  call: AnyCall,
  done: sendUnaryData<Message> | undefined,
  onCancel: () => void,
): Promise<void> {
  const abort = new AbortController();
  call.on("cancelled", () => {
    onCancel();
    abort.abort();
  });
  const context = createHandlerContext({
    service: spec.method.parent,
    method: spec.method,
    protocolName: "grpc",
    requestMethod: "POST",
    url: "",
    requestSignal: abort.signal,
    requestHeader: Object.entries(call.metadata.getMap()).map(([name, value]): [string, string] => [
      name,
      String(value),
    ]),
  });
  const full = (init: unknown): Message => create(spec.method.output, init as never);
  const sendHeader = (): void => {
    const metadata = metadataOf(context.responseHeader);
    if (Object.keys(metadata.getMap()).length > 0) call.sendMetadata(metadata);
  };
  try {
    switch (spec.kind) {
      case "unary": {
        const answer = full(await spec.impl(call.request, context));
        sendHeader();
        done?.(null, answer, metadataOf(context.responseTrailer));
        return;
      }
      case "client_streaming": {
        const answer = full(await spec.impl(call, context));
        sendHeader();
        done?.(null, answer, metadataOf(context.responseTrailer));
        return;
      }
      default: {
        const answers = spec.kind === "server_streaming" ? spec.impl(call.request, context) : spec.impl(call, context);
        for await (const answer of answers) call.write(full(answer));
        call.end();
      }
    }
  } catch (thrown) {
    const error = ConnectError.from(thrown);
    const details = error.details.flatMap((detail) =>
      "desc" in detail
        ? [
            {
              typeUrl: `type.googleapis.com/${detail.desc.typeName}`,
              value: toBinary(detail.desc, create(detail.desc, detail.value)),
            },
          ]
        : [],
    );
    const metadata = new Metadata();
    const status = create(StatusSchema, { code: error.code, message: error.rawMessage, details });
    if (details.length > 0) metadata.add("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, status)));
    const failure = Object.assign(new Error(error.rawMessage), {
      code: error.code,
      details: error.rawMessage,
      metadata,
    });
    if (done === undefined) call.emit("error", failure);
    else done(failure as unknown as ServerErrorResponse);
  }
}

function metadataOf(headers: Headers): Metadata {
  const metadata = new Metadata();
  headers.forEach((value, name) => {
    metadata.add(name, value);
  });
  return metadata;
}
