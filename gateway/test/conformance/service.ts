import { setTimeout as sleep } from "node:timers/promises";
import {
  create,
  type DescMessage,
  type DescService,
  type FileRegistry,
  type Message,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import { type Any, anyPack, anyUnpack } from "@bufbuild/protobuf/wkt";
import {
  type Code,
  ConnectError,
  createServiceImplSpec,
  type HandlerContext,
  type ServiceImpl,
  type ServiceImplSpec,
} from "@connectrpc/connect";

interface Header {
  readonly name: string;
  readonly value: readonly string[];
}

interface Definition {
  readonly responseHeaders: readonly Header[];
  readonly responseTrailers: readonly Header[];
  readonly responseDelayMs: number;
}

interface ErrorDefinition {
  readonly code: number;
  readonly message?: string;
  readonly details: readonly Any[];
}

interface UnaryDefinition extends Definition {
  readonly response:
    | { case: "responseData"; value: Uint8Array }
    | { case: "error"; value: ErrorDefinition }
    | { case: undefined };
}

interface StreamDefinition extends Definition {
  readonly responseData: readonly Uint8Array[];
  readonly error?: ErrorDefinition;
}

type UnaryRequest = Message & { readonly responseDefinition?: UnaryDefinition };
type StreamRequest = Message & { readonly responseDefinition?: StreamDefinition; readonly fullDuplex?: boolean };

/**
 * The suite's service (`connectrpc.conformance.v1.ConformanceService`), built on the descriptors that come with the
 * suite.
 */
export function conformanceSpec(registry: FileRegistry): ServiceImplSpec {
  const prefix = "connectrpc.conformance.v1.";
  const message = (name: string): DescMessage => {
    const desc = registry.getMessage(prefix + name);
    if (desc === undefined) throw new Error(`no message ${name}`);
    return desc;
  };
  const service = registry.getService(`${prefix}ConformanceService`);
  if (service === undefined) throw new Error("no ConformanceService");
  const requestInfoDesc = message("ConformancePayload.RequestInfo");

  const anyOf = (value: Message): Any => {
    const desc = registry.getMessage(value.$typeName);
    if (desc === undefined) throw new Error(value.$typeName);
    return anyPack(desc, value);
  };

  const requestInfo = (context: HandlerContext, requests: readonly Message[]): Message => {
    const timeoutMs = context.timeoutMs();
    const query = context.requestMethod === "GET" ? new URL(context.url, "http://localhost").searchParams : undefined;
    return make(requestInfoDesc, {
      requestHeaders: headersOf(context.requestHeader),
      requests: requests.map(anyOf),
      ...(timeoutMs === undefined ? {} : { timeoutMs: BigInt(Math.max(0, Math.round(timeoutMs))) }),
      ...(query === undefined
        ? {}
        : { connectGetInfo: { queryParams: [...query].map(([name, value]) => ({ name, value: [value] })) } }),
    });
  };

  const fail = (error: ErrorDefinition, info: Message | undefined): ConnectError => {
    const details = [...error.details, ...(info === undefined ? [] : [anyOf(info)])].map((any) => {
      const value = anyUnpack(any, registry);
      const desc = value && registry.getMessage(value.$typeName);
      if (value === undefined || desc === undefined) throw new Error(any.typeUrl);
      return { desc, value: value as MessageInitShape<DescMessage> };
    });
    return new ConnectError(error.message ?? "", error.code as Code, undefined, details);
  };

  const unary = async (requests: readonly UnaryRequest[], context: HandlerContext) => {
    const definition = requests[0]?.responseDefinition;
    const info = requestInfo(context, requests);
    if (definition !== undefined) {
      addHeaders(definition.responseHeaders, context.responseHeader);
      addHeaders(definition.responseTrailers, context.responseTrailer);
      await sleep(definition.responseDelayMs);
      if (definition.response.case === "error") throw fail(definition.response.value, info);
    }
    const data = definition?.response.case === "responseData" ? definition.response.value : new Uint8Array();
    return { payload: { data, requestInfo: info } };
  };

  async function* serverStream(request: StreamRequest, context: HandlerContext) {
    const definition = request.responseDefinition;
    if (definition === undefined) return;
    addHeaders(definition.responseHeaders, context.responseHeader);
    addHeaders(definition.responseTrailers, context.responseTrailer);
    const info = requestInfo(context, [request]);
    for (const [index, data] of definition.responseData.entries()) {
      await sleep(definition.responseDelayMs);
      yield { payload: { data, ...(index === 0 ? { requestInfo: info } : {}) } };
    }
    if (definition.error !== undefined) {
      throw fail(definition.error, definition.responseData.length === 0 ? info : undefined);
    }
  }

  async function* bidiStream(requests: AsyncIterable<StreamRequest>, context: HandlerContext) {
    let definition: StreamDefinition | undefined;
    let fullDuplex = false;
    let first = true;
    let sent = 0;
    let received: Message[] = [];
    for await (const request of requests) {
      received.push(request);
      if (first) {
        first = false;
        definition = request.responseDefinition;
        fullDuplex = request.fullDuplex ?? false;
        addHeaders(definition?.responseHeaders ?? [], context.responseHeader);
        addHeaders(definition?.responseTrailers ?? [], context.responseTrailer);
      }
      if (!fullDuplex) continue;
      const data = definition?.responseData[sent];
      if (data === undefined) break;
      const info =
        sent === 0 ? requestInfo(context, received) : make(requestInfoDesc, { requests: received.map(anyOf) });
      await sleep(definition?.responseDelayMs ?? 0);
      yield { payload: { data, requestInfo: info } };
      sent += 1;
      received = [];
    }
    if (definition === undefined) return;
    for (; sent < definition.responseData.length; sent += 1) {
      const data = definition.responseData[sent] ?? new Uint8Array();
      await sleep(definition.responseDelayMs);
      yield { payload: { data, ...(sent === 0 ? { requestInfo: requestInfo(context, received) } : {}) } };
    }
    if (definition.error !== undefined) {
      throw fail(definition.error, sent === 0 ? requestInfo(context, received) : undefined);
    }
  }

  const implementation = {
    unary: (request: UnaryRequest, context: HandlerContext) => unary([request], context),
    idempotentUnary: (request: UnaryRequest, context: HandlerContext) => unary([request], context),
    clientStream: async (requests: AsyncIterable<UnaryRequest>, context: HandlerContext) => {
      const all: UnaryRequest[] = [];
      for await (const request of requests) all.push(request);
      return unary(all, context);
    },
    serverStream,
    bidiStream,
  };
  return createServiceImplSpec(service, implementation as unknown as Partial<ServiceImpl<DescService>>);
}

function make(desc: DescMessage, init: object): Message {
  return create(desc, init as MessageInitShape<DescMessage>);
}

function addHeaders(headers: readonly Header[], to: Headers): void {
  for (const { name, value } of headers) for (const each of value) to.append(name, each);
}

function headersOf(headers: Headers): Header[] {
  return [...headers].map(([name, value]) => ({ name, value: value.split(/,\s*/) }));
}
