import type { Code } from "@connectrpc/connect";
import { Code as RpcCode } from "../../gen/google/rpc/code_pb.js";

/**
 * The name of a code as `google/rpc/code.proto` spells it, such as `NOT_FOUND`. `OK` for undefined, `UNKNOWN` for an
 * undefined number.
 */
export function codeName(code: Code | undefined): string {
  return RpcCode[code ?? RpcCode.OK] ?? "UNKNOWN";
}
