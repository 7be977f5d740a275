import { create, type DescMethod, type DescService, type Message } from "@bufbuild/protobuf";
import { createServiceImplSpec, type ServiceImpl, type ServiceImplSpec } from "@connectrpc/connect";

/**
 * An implementation of any service that accepts every request and never fails: it returns the request if the types are
 * the same, else an empty message; in a stream, two of them. Any failure is therefore the gateway's.
 */
export function anySpec(service: DescService): ServiceImplSpec {
  const methods = service.methods.map((method) => [method.localName, implementationOf(method)]);
  return createServiceImplSpec(service, Object.fromEntries(methods) as Partial<ServiceImpl<DescService>>);
}

function implementationOf(method: DescMethod): unknown {
  const answer = (request: Message | undefined): Message =>
    request !== undefined && method.input.typeName === method.output.typeName ? request : create(method.output);
  switch (method.methodKind) {
    case "unary":
      return answer;
    case "server_streaming":
      return () => streamOf(answer(undefined), answer(undefined));
    case "client_streaming":
      return async (requests: AsyncIterable<Message>) => answer(await lastOf(requests));
    case "bidi_streaming":
      return (requests: AsyncIterable<Message>) => map(requests, answer);
    default:
      throw new Error(`${method} is of no kind`);
  }
}

async function* streamOf(...messages: Message[]): AsyncGenerator<Message> {
  yield* messages;
}

async function* map(messages: AsyncIterable<Message>, change: (message: Message) => Message): AsyncGenerator<Message> {
  for await (const message of messages) yield change(message);
}

async function lastOf(messages: AsyncIterable<Message>): Promise<Message | undefined> {
  let last: Message | undefined;
  for await (const message of messages) last = message;
  return last;
}
