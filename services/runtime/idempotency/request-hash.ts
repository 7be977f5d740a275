import { createHash } from "node:crypto";
import { clone, type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { isReflectMessage, type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";

/** Fields of a request that say how to answer, not what to do: a repetition may differ in them. */
const IGNORED_FIELDS = ["request_id", "wait", "validate_only"];

/**
 * SHA-256, hex, of what a request asks for: two requests of one caller (see `RequestKey.caller`) have the same hash when
 * they are equal but for `request_id`, `wait` and `validate_only`, in whatever order the entries of their maps came.
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

/** Puts the entries of all maps, at every depth, into the order of their keys. */
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

/** Whether a message of this type can hold a map at any depth, so that the others need not be walked through. */
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
