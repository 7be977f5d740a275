import type { DescMethod } from "@bufbuild/protobuf";
import type { ContextValues, HandlerContext } from "@connectrpc/connect";
import type { Call } from "./call-context.ts";

/** Handler context of a call without interceptors. Creates its parts on first access. */
export class DirectContext implements HandlerContext {
  readonly service: HandlerContext["service"];
  readonly method: DescMethod;
  readonly protocolName: string;
  readonly requestMethod = "POST";
  readonly url: string;
  readonly timeoutMs: () => number | undefined;
  readonly #call: Call;

  constructor(method: DescMethod, url: string, call: Call) {
    this.service = method.parent;
    this.method = method;
    this.protocolName = call.name;
    this.url = url;
    this.timeoutMs = () => call.timeoutMs();
    this.#call = call;
  }

  get signal(): AbortSignal {
    return this.#call.signal;
  }

  get values(): ContextValues {
    return this.#call.values;
  }

  get requestHeader(): Headers {
    return this.#call.header;
  }

  get responseHeader(): Headers {
    return this.#call.responseHeader;
  }

  get responseTrailer(): Headers {
    return this.#call.responseTrailer;
  }
}
