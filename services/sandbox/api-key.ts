import { createHash, timingSafeEqual } from "node:crypto";
import type { HandlerContext } from "@connectrpc/connect";
import { unauthenticated } from "../runtime/errors.ts";

type Handlers = Readonly<Record<string, (request: never, call: HandlerContext) => unknown>>;

/** Wraps unary methods: each call without the key is UNAUTHENTICATED. */
export type RequireApiKey = <H extends Handlers>(handlers: H) => H;

/** Creates the check of `Authorization: Bearer …` against the sandbox's own key, in constant time. */
export function createApiKeyCheck(apiKey: string): RequireApiKey {
  const expected = digestOf(`Bearer ${apiKey}`);
  return <H extends Handlers>(handlers: H) => {
    const wrapped = Object.entries(handlers).map(([name, handler]): [string, Handlers[string]] => [
      name,
      (request, call) => {
        if (!timingSafeEqual(digestOf(call.requestHeader.get("authorization") ?? ""), expected)) {
          throw unauthenticated();
        }
        return handler(request, call);
      },
    ]);
    return Object.fromEntries(wrapped) as H;
  };
}

function digestOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
