import type { HandlerContext } from "@connectrpc/connect";
import { unimplemented } from "../runtime/errors.ts";

/** For methods of the contract that are not built yet; README.md lists them. */
export function unimplementedMethod(_request: unknown, { method }: HandlerContext): never {
  throw unimplemented(`${method.parent.typeName}/${method.name}`);
}
