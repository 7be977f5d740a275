import { fromBinary, type Registry, toBinary } from "@bufbuild/protobuf";
import { eraseCustomer } from "../api/personal-fields.ts";

/**
 * A message in the binary format without what it tells of a customer. Empty where its type is not in the registry or it
 * cannot be decoded: what cannot be read cannot be searched either.
 */
export function eraseEncoded(registry: Registry, type: string, data: Uint8Array): Uint8Array {
  const schema = registry.getMessage(type);
  if (schema === undefined) {
    return new Uint8Array();
  }
  try {
    const message = fromBinary(schema, data);
    eraseCustomer(schema, message);
    return toBinary(schema, message);
  } catch {
    return new Uint8Array();
  }
}
