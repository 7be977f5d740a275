import { type DescMessage, fromBinary, type Message } from "@bufbuild/protobuf";
import { moveUnknownNumbers } from "./closed-enums.ts";

/**
 * `fromBinary` of the library, kept to the specification where the library is not: unknown numbers of closed enums in
 * lists and maps become unknown fields.
 *
 * @throws Error that says what is wrong.
 */
export function readProtoBinary(desc: DescMessage, bytes: Uint8Array): Message {
  const message = fromBinary(desc, bytes);
  moveUnknownNumbers(desc, message);
  return message;
}
