import { createHash } from "node:crypto";
import { clone, type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { isReflectMessage, type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";

/** Fields that affect the response but not the mutation; a repeated request may differ in them. */
const IGNORED_FIELDS = ["request_id", "wait", "validate_only"];

/**
 * SHA-256 of a request, in hex. Two requests of one caller (see `RequestKey.caller`) have the same hash if they are
 * equal except for `request_id`, `wait` and `validate_only`, and the order of map entries.
 */
export function hashRequest<Desc extends DescMessage>(
  schema: Desc,
  request: MessageShape<Desc>,
  caller: string,
): string {
  const copy = clone(schema, request);
  const message = reflect(schema, copy);
  for (const name of IGNORED_FIELDS) {
    const field = schema.fields.find((it) => it.name === name);
    if (field) {
      message.clear(field);
    }
  }
  sortMaps(message);
  return createHash("sha256").update(toBinary(schema, copy)).update(caller).digest("hex");
}

/** Sorts the entries of all maps by key, at every depth. */
function sortMaps(message: ReflectMessage): void {
  if (!mayHoldMaps(message.desc)) {
    return;
  }
  for (const field of message.fields) {
    if (!message.isSet(field)) {
      continue;
    }
    const value: unknown = message.get(field);
    if (field.fieldKind === "map") {
      const map = message.get(field);
      const entries = [...map].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
      map.clear();
      for (const [key, entry] of entries) {
        map.set(key, entry);
        sortIfMessage(entry);
      }
    } else if (field.fieldKind === "list") {
      for (const item of message.get(field)) {
        sortIfMessage(item);
      }
    } else {
      sortIfMessage(value);
    }
  }
}

function sortIfMessage(value: unknown): void {
  if (isReflectMessage(value)) {
    sortMaps(value);
  }
}

const holders = new WeakMap<DescMessage, boolean>();

/** Whether a message type can contain a map at any depth; others need not be traversed. */
function mayHoldMaps(schema: DescMessage): boolean {
  const known = holders.get(schema);
  if (known !== undefined) {
    return known;
  }
  const seen = new Set<DescMessage>();
  const search = (desc: DescMessage): boolean => {
    if (seen.has(desc)) {
      return false;
    }
    seen.add(desc);
    return desc.fields.some(
      (field) => field.fieldKind === "map" || (field.message !== undefined && search(field.message)),
    );
  };
  const found = search(schema);
  holders.set(schema, found);
  return found;
}
