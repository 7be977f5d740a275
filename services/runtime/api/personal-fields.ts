import { clearField, type DescField, type DescMessage, getOption, type Message, ScalarType } from "@bufbuild/protobuf";
import { isReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { erased_with_customer, personal } from "../../../gen/docket/options/v1/options_pb.js";
import { FieldBehavior, field_behavior } from "../../../gen/google/api/field_behavior_pb.js";

/** Replacement for an erased text that must not be empty. */
export const ERASED = "[erased]";

/** Whether the contract marks the field as personal data. */
export function isPersonal(field: DescField): boolean {
  return getOption(field, personal);
}

/** Whether the field is erased with its customer: every personal field, and some fields that events may carry. */
export function isErasedWithCustomer(field: DescField): boolean {
  return isPersonal(field) || getOption(field, erased_with_customer);
}

/** Clears all personal fields of a message at every depth, in place. */
export function clearPersonal(schema: DescMessage, message: Message): void {
  change(schema, message, personalPlans, (field) => clearField(message, field));
}

/**
 * Erases customer data from a message at every depth, in place. Required texts become {@link ERASED}, all other fields
 * are cleared; unset fields stay unset. A message that was valid stays valid. Idempotent.
 */
export function eraseCustomer(schema: DescMessage, message: Message): void {
  const reflected = reflect(schema, message);
  change(schema, message, erasedPlans, (field) => {
    if (!reflected.isSet(field)) {
      return;
    }
    if (!getOption(field, field_behavior).includes(FieldBehavior.REQUIRED)) {
      clearField(message, field);
    } else if (field.fieldKind === "scalar" && field.scalar === ScalarType.STRING) {
      reflected.set(field, ERASED);
    } else if (field.fieldKind === "list" && field.listKind === "scalar" && field.scalar === ScalarType.STRING) {
      clearField(message, field);
      reflected.get(field).add(ERASED);
    } else {
      clearField(message, field);
    }
  });
}

/** Applies `own` to the fields of the plan, and descends into nested messages that contain such fields. */
function change(schema: DescMessage, message: Message, plans: Plans, own: (field: DescField) => void): void {
  const plan = plans.of(schema);
  plan.own.forEach(own);
  const reflected = reflect(schema, message);
  const descend = plans === personalPlans ? clearPersonal : eraseCustomer;
  for (const field of plan.nested) {
    if (reflected.isSet(field)) {
      for (const part of partsOf(field, reflected.get(field))) {
        if (isReflectMessage(part)) {
          descend(part.desc, part.message);
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
  /** Fields to change. */
  readonly own: readonly DescField[];
  /** Message fields that contain such fields. */
  readonly nested: readonly DescField[];
}

interface Plans {
  of(schema: DescMessage): Plan;
}

const personalPlans = createPlans(isPersonal);
const erasedPlans = createPlans(isErasedWithCustomer);

/** Creates a lazy cache of plans for the fields that `concerns` selects, one per message type. */
function createPlans(concerns: (field: DescField) => boolean): Plans {
  const plans = new WeakMap<DescMessage, Plan>();
  const holds = (schema: DescMessage, seen = new Set<DescMessage>()): boolean => {
    if (seen.has(schema)) {
      return false;
    }
    seen.add(schema);
    return schema.fields.some(
      (field) => concerns(field) || (field.message !== undefined && holds(field.message, seen)),
    );
  };
  return {
    of(schema) {
      let plan = plans.get(schema);
      if (plan === undefined) {
        plan = {
          own: schema.fields.filter(concerns),
          nested: schema.fields.filter((field) => !concerns(field) && field.message && holds(field.message)),
        };
        plans.set(schema, plan);
      }
      return plan;
    },
  };
}
