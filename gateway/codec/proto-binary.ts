import { type DescMessage, fromBinary, type Message } from "@bufbuild/protobuf";
import { moveUnknownNumbers } from "./closed-enums.ts";

/**
 * The library's `fromBinary`, corrected where it deviates from the specification: unknown numbers of closed enums in
 * lists and maps become unknown fields.
 *
 * @throws Error with the reason.
 */
export function readProtoBinary(desc: DescMessage, bytes: Uint8Array): Message {
  const message = fromBinary(desc, bytes);
  moveUnknownNumbers(desc, message);
  return message;
}
