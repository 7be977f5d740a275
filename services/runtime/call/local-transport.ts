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
  type Interceptor,
  type ServiceImplSpec,
  type Transport,
} from "@connectrpc/connect";
import { abortable } from "./abort.ts";
import { beginCall, type Call } from "./call-context.ts";
import { copyMessage } from "./copy-message.ts";
import { createMethodInvoker, type MethodInvoker } from "./invoke.ts";
import { asReceived } from "./wire-error.ts";

/** Calls between services that live in one process. */
export interface LocalTransport {
  /** For `createServiceClient` and Connect's `createClient`. May be handed out before anything is mounted. */
  readonly transport: Transport;
  /** Makes the services callable. Mounting a service twice is an error of the composition root and throws. */
  mount(specs: readonly ServiceImplSpec[]): void;
}

export interface LocalTransportOptions {
  /** The same list as every other wire: see `createInterceptors`. */
  readonly interceptors: readonly Interceptor[];
}

/**
 * A transport that calls implementations directly, through the same interceptors, without bytes in between.
 *
 * A caller sees what it would see over a network: messages are copied on the way in and on the way out, so that
 * caller and callee never share an object; headers, trailers, deadline and cancellation are carried; every failure is
 * a ConnectError whose details are those of the wire. Beyond a network, context values are carried: a caller in the
 * process may set `principalKey` and is believed. What the callee sets in them does not come back.
 *
 * A method of a service that is not mounted is UNIMPLEMENTED.
 */
export function createLocalTransport(options: LocalTransportOptions): LocalTransport {
  const invokers = new Map<DescMethod, MethodInvoker>();
  const services = new Set<string>();

  const invokerOf = (method: DescMethod): MethodInvoker => {
    const invoker = invokers.get(method);
    if (invoker === undefined) {
      throw new ConnectError(`${method.parent.typeName}/${method.name} is not served here`, Code.Unimplemented);
    }
    return invoker;
  };

  const transport: Transport = {
    async unary(method, signal, timeoutMs, header, input, values) {
      const invoker = invokerOf(method);
      const call = accept(header, timeoutMs, signal, values);
      try {
        const { message, header: head, trailer } = await invoker.unary(copyOf(method.input, input), call);
        return {
          stream: false,
          service: method.parent,
          method,
          header: head ?? new Headers(),
          trailer: trailer ?? new Headers(),
          message: copyOf(method.output, message as MessageShape<typeof method.output>),
        };
      } catch (error) {
        throw asReceived(ConnectError.from(error));
      } finally {
        call.finish();
      }
    },
    async stream(method, signal, timeoutMs, header, input, values) {
      const invoker = invokerOf(method);
      const call = accept(header, timeoutMs, signal, values);
      try {
        const requests = abortable(copies(method.input, input), call.signal);
        const response = await invoker.stream(requests, call);
        const answers = response.message as AsyncIterable<MessageShape<typeof method.output>>;
        return {
          ...response,
          method,
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
          invokers.set(spec.method, createMethodInvoker(spec, options.interceptors));
        }
      }
    },
  };
}

/** Begins the call as its caller wants it. For Connect's clients a timeout of zero or less means none. */
function accept(
  header: HeadersInit | undefined,
  timeoutMs: number | undefined,
  signal: AbortSignal | undefined,
  values: ContextValues | undefined,
): Call {
  const limit = timeoutMs !== undefined && timeoutMs > 0 ? timeoutMs : undefined;
  const copied = new Headers(header);
  return beginCall({ wire: "local", header: () => copied, timeoutMs: limit, signal, values });
}

/** A message that shares nothing with `init`, not even where `init` holds whole messages. */
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

/** The answers as the caller reads them; reading to the end, an error, or leaving early ends the call. */
async function* received<T>(answers: AsyncIterable<T>, call: Call): AsyncGenerator<T> {
  try {
    yield* answers;
  } catch (error) {
    throw asReceived(ConnectError.from(error));
  } finally {
    call.finish();
  }
}
