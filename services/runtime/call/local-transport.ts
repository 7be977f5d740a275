import {
  create,
  type DescMessage,
  type DescMethod,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ContextValues,
  createContextValues,
  type Interceptor,
  type MethodImplSpec,
  type ServiceImplSpec,
  type Transport,
} from "@connectrpc/connect";
import { abortable } from "../../../gateway/call/abort.ts";
import { beginCall, type Call } from "../../../gateway/call/call-context.ts";
import { callerSignal } from "../../../gateway/call/cancellation.ts";
import { invokeStream, invokeUnary } from "../../../gateway/call/invoke.ts";
import { inheritValues, wireKey } from "../context-values.ts";
import { copyMessage } from "./copy-message.ts";
import { asReceived } from "./wire-error.ts";

/** Calls between services in one process. */
export interface LocalTransport {
  /** For `createServiceClient` and Connect's `createClient`. May be used before anything is mounted. */
  readonly transport: Transport;
  /** Makes services callable. Throws if a service is mounted twice. */
  mount(specs: readonly ServiceImplSpec[]): void;
}

export interface LocalTransportOptions {
  /** The same list as on every other wire, see `createInterceptors`. */
  readonly interceptors: readonly Interceptor[];
}

/**
 * Creates a transport that calls implementations directly, through the same interceptors, without serialization.
 * Callers observe what they would over a network: messages are copied in both directions, so caller and callee never
 * share an object; headers, trailers, deadline and cancellation are carried; every failure is a ConnectError with the
 * details of the wire. Context values are carried in addition: a caller in the process may set `principalKey` and is
 * trusted. Values set by the callee are not returned.
 *
 * Methods of services that are not mounted are UNIMPLEMENTED.
 */
export function createLocalTransport(options: LocalTransportOptions): LocalTransport {
  const { interceptors } = options;
  const mounted = new Map<DescMethod, MethodImplSpec>();
  const services = new Set<string>();

  const specOf = (method: DescMethod): MethodImplSpec => {
    const spec = mounted.get(method);
    if (spec === undefined) {
      throw new ConnectError(`${method.parent.typeName}/${method.name} is not served here`, Code.Unimplemented);
    }
    return spec;
  };

  const transport: Transport = {
    async unary(method, signal, timeoutMs, header, input, values) {
      const spec = specOf(method);
      if (spec.kind !== "unary") {
        throw new ConnectError(`${method.parent.typeName}/${method.name} is a stream`, Code.Internal);
      }
      const call = accept(method, { header, timeoutMs, signal, values });
      try {
        const message = await invokeUnary(spec, call, copyOf(method.input, input), interceptors);
        return {
          stream: false,
          service: method.parent,
          method,
          header: call.touchedHeader() ?? new Headers(),
          trailer: call.touchedTrailer() ?? new Headers(),
          message: copyOf(method.output, message as MessageShape<typeof method.output>),
        };
      } catch (error) {
        throw asReceived(ConnectError.from(error));
      } finally {
        call.finish();
      }
    },
    async stream(method, signal, timeoutMs, header, input, values) {
      const spec = specOf(method);
      const call = accept(method, { header, timeoutMs, signal, values });
      try {
        const requests = abortable(copies(method.input, input), call.signal);
        const responses = await invokeStream(spec, call, requests, interceptors);
        const answers = responses as AsyncIterable<MessageShape<typeof method.output>>;
        return {
          stream: true,
          service: method.parent,
          method,
          header: call.responseHeader,
          trailer: call.responseTrailer,
          message: received(copies(method.output, answers), call),
        };
      } catch (error) {
        call.finish();
        throw asReceived(ConnectError.from(error));
      }
    },
  };

  return {
    transport,
    mount(specs) {
      for (const { service, methods } of specs) {
        if (services.has(service.typeName)) {
          throw new Error(`${service.typeName} is mounted twice`);
        }
        services.add(service.typeName);
        for (const spec of Object.values(methods)) {
          mounted.set(spec.method, spec);
        }
      }
    },
  };
}

/** Begins the call with the caller's options. In Connect's clients a timeout of zero or less means none. */
function accept(
  method: DescMethod,
  {
    header,
    timeoutMs,
    signal,
    values,
  }: {
    readonly header: HeadersInit | undefined;
    readonly timeoutMs: number | undefined;
    readonly signal: AbortSignal | undefined;
    readonly values: ContextValues | undefined;
  },
): Call {
  const copied = new Headers(header);
  return beginCall(method, {
    protocolName: "local",
    url: `grpc:/${method.parent.typeName}/${method.name}`,
    requestHeader: () => copied,
    timeoutMs: timeoutMs !== undefined && timeoutMs > 0 ? timeoutMs : undefined,
    cancellation: signal && callerSignal(signal),
    values: () => (values === undefined ? createContextValues() : inheritValues(values)).set(wireKey, "local"),
  });
}

/** Creates a message that shares nothing with `init`, even if `init` contains whole messages. */
function copyOf<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): MessageShape<Desc> {
  return copyMessage(create(schema, init));
}

async function* copies<Desc extends DescMessage>(
  schema: Desc,
  messages: AsyncIterable<MessageInitShape<Desc>>,
): AsyncGenerator<MessageShape<Desc>> {
  for await (const message of messages) {
    yield copyOf(schema, message);
  }
}

/** The responses as the caller reads them. Reading to the end, an error, or returning early ends the call. */
async function* received<T>(answers: AsyncIterable<T>, call: Call): AsyncGenerator<T> {
  try {
    yield* answers;
  } catch (error) {
    throw asReceived(ConnectError.from(error));
  } finally {
    call.finish();
  }
}
