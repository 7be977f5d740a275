import { clearField, type DescField, type DescMessage, getOption, type Message } from "@bufbuild/protobuf";
import { isReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { personal } from "../../../gen/docket/options/v1/options_pb.js";

/** Whether the contract marks the field as holding data about a person. */
export function isPersonal(field: DescField): boolean {
  return getOption(field, personal);
}

/** Clears the fields of a message that are marked as personal, at every depth, in place. */
export function clearPersonal(schema: DescMessage, message: Message): void {
  const { own, nested } = planOf(schema);
  for (const field of own) {
    clearField(message, field);
  }
  const reflected = reflect(schema, message);
  for (const field of nested) {
    if (reflected.isSet(field)) {
      for (const part of partsOf(field, reflected.get(field))) {
        if (isReflectMessage(part)) {
          clearPersonal(part.desc, part.message);
        }
      }
    }
  }
}

function partsOf(field: DescField, value: unknown): Iterable<unknown> {
  switch (field.fieldKind) {
    case "list":
      return value as Iterable<unknown>;
    case "map":
      return (value as ReadonlyMap<unknown, unknown>).values();
    default:
      return [value];
  }
}

interface Plan {
  /** Fields that are personal themselves. */
  readonly own: readonly DescField[];
  /** Fields with messages that hold personal fields. */
  readonly nested: readonly DescField[];
}

const plans = new WeakMap<DescMessage, Plan>();

function planOf(schema: DescMessage): Plan {
  let plan = plans.get(schema);
  if (plan === undefined) {
    plan = {
      own: schema.fields.filter(isPersonal),
      nested: schema.fields.filter((field) => !isPersonal(field) && field.message && holdsPersonal(field.message)),
    };
    plans.set(schema, plan);
  }
  return plan;
}

function holdsPersonal(schema: DescMessage, seen = new Set<DescMessage>()): boolean {
  if (seen.has(schema)) {
    return false;
  }
  seen.add(schema);
  return schema.fields.some(
    (field) => isPersonal(field) || (field.message !== undefined && holdsPersonal(field.message, seen)),
  );
}
