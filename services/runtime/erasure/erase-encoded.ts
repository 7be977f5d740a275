import { fromBinary, type Registry, toBinary } from "@bufbuild/protobuf";
import { eraseCustomer } from "../api/personal-fields.ts";

/**
 * Removes customer data from an encoded message. Returns empty bytes if its type is not in the registry or it cannot be
 * decoded, because its content cannot be inspected then.
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
