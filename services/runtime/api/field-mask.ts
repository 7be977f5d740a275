import { clone, type DescField, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import type { FieldMask } from "@bufbuild/protobuf/wkt";
import { type FieldViolation, invalidArgument } from "../errors.ts";

/**
 * Resolves an update mask (AIP-134) to the paths to change, in the order of `mutable`. Without a mask: the `mutable`
 * paths that are set in the resource. `*`: all of `mutable`. A parent path (`customer` for `customer.email`) expands to
 * its mutable children; a path below a mutable one (`labels.colour` below `labels`) is kept as is.
 *
 * @throws ConnectError INVALID_ARGUMENT, field `update_mask`, naming every unknown or immutable path and the mutable
 * ones.
 */
export function updatePaths<Desc extends DescMessage>(
  schema: Desc,
  resource: MessageShape<Desc>,
  mask: FieldMask | undefined,
  mutable: readonly string[],
): readonly string[] {
  const given = mask?.paths ?? [];
  if (given.length === 0) {
    const message = reflect(schema, resource);
    return mutable.filter((path) => isSet(message, path.split(".")));
  }
  if (given.includes("*")) {
    return given.length === 1 ? mutable : refuse([], mutable, "* must be the only path");
  }
  const wrong = given.filter((path) => !mutable.some((it) => isWithin(it, path) || isKeyOf(schema, it, path)));
  if (wrong.length > 0) {
    return refuse(wrong, mutable, "may not be changed");
  }
  const whole = mutable.filter((it) => given.some((path) => isWithin(it, path)));
  const keys = given.filter((path) => mutable.some((it) => isKeyOf(schema, it, path) && !whole.includes(it)));
  return [...whole, ...new Set(keys)];
}

/**
 * Returns a copy of `target` with the values of `source` at these paths. Fields unset in `source` are cleared. Maps and
 * lists are replaced as a whole; a path to a map key changes only that entry.
 */
export function applyPaths<Desc extends DescMessage>(
  schema: Desc,
  target: MessageShape<Desc>,
  source: MessageShape<Desc>,
  paths: readonly string[],
): MessageShape<Desc> {
  const copy = clone(schema, target);
  const from = clone(schema, source);
  for (const path of paths) {
    copyPath(reflect(schema, copy), reflect(schema, from), path.split("."));
  }
  return copy;
}

function copyPath(target: ReflectMessage, source: ReflectMessage, [name = "", ...rest]: readonly string[]): void {
  const field = fieldOf(target.desc, name);
  if (!field) {
    throw new RangeError(`${target.desc.typeName} has no field ${name}`);
  }
  if (rest.length > 0 && field.fieldKind === "map") {
    const entries = target.get(field);
    const key = rest.join(".");
    const value = source.get(field).get(key);
    if (value === undefined) {
      entries.delete(key);
    } else {
      entries.set(key, value);
    }
  } else if (rest.length > 0 && field.fieldKind === "message") {
    if (target.isSet(field) || source.isSet(field)) {
      const inner = target.get(field);
      copyPath(inner, source.get(field), rest);
      target.set(field, inner);
    }
  } else if (source.isSet(field)) {
    target.set(field, source.get(field));
  } else {
    target.clear(field);
  }
}

function isSet(message: ReflectMessage, [name = "", ...rest]: readonly string[]): boolean {
  const field = fieldOf(message.desc, name);
  if (!field || !message.isSet(field)) {
    return false;
  }
  return rest.length === 0 || (field.fieldKind === "message" && isSet(message.get(field), rest));
}

function isWithin(path: string, outer: string): boolean {
  return path === outer || path.startsWith(`${outer}.`);
}

/** Whether `path` names a single entry of the map at `map`, such as `labels.colour` of `labels`. */
function isKeyOf(schema: DescMessage, map: string, path: string): boolean {
  return path.startsWith(`${map}.`) && path.length > map.length + 1 && fieldAt(schema, map)?.fieldKind === "map";
}

function fieldAt(schema: DescMessage, path: string): DescField | undefined {
  let desc: DescMessage | undefined = schema;
  let field: DescField | undefined;
  for (const name of path.split(".")) {
    field = desc && fieldOf(desc, name);
    desc = field?.fieldKind === "message" ? field.message : undefined;
  }
  return field;
}

function fieldOf(desc: DescMessage, name: string): DescField | undefined {
  return desc.fields.find((field) => field.name === name);
}

function refuse(paths: readonly string[], mutable: readonly string[], problem: string): never {
  const allowed = `the fields that can be changed are ${mutable.join(", ")}`;
  const violations: FieldViolation[] = (paths.length > 0 ? paths : [""]).map((path) => ({
    field: "update_mask",
    description: `${path === "" ? "" : `${path} `}${problem}; ${allowed}`,
  }));
  throw invalidArgument(violations);
}
