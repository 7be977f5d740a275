import type { Code } from "@connectrpc/connect";
import { Code as RpcCode } from "../../../gen/google/rpc/code_pb.js";

/** gRPC's name of a code, such as `NOT_FOUND`. `OK` for undefined, `UNKNOWN` for an undefined number. */
export function codeName(code: Code | undefined): string {
  return RpcCode[code ?? RpcCode.OK] ?? "UNKNOWN";
}
