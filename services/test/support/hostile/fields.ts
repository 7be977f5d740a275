import { type DescField, type DescMessage, type DescMethod, ScalarType } from "@bufbuild/protobuf";

/** Path to a field of a request, ending with the field itself. */
export type FieldPath = readonly DescField[];

/** Depth limit for nested messages. Deeper fields have the same decoders and rules as the ones above. */
const maxDepth = 4;

/**
 * Every field of a method's request that a sender can make large: lists, maps, strings, bytes, integers, and messages
 * (which the binary format lets a sender repeat). Messages are entered once on each path, so that recursive ones end.
 */
export function hostileFields({ input }: DescMethod): FieldPath[] {
  return fieldsOf(input, []);
}

function fieldsOf(message: DescMessage, above: FieldPath): FieldPath[] {
  if (above.length >= maxDepth) {
    return [];
  }
  return message.fields.flatMap((field) => {
    const path = [...above, field];
    const entered = field.message !== undefined && !above.some((earlier) => earlier.message === field.message);
    const inside = entered && field.message !== undefined ? fieldsOf(field.message, path) : [];
    return isFixedSize(field) ? inside : [path, ...inside];
  });
}

function isFixedSize(field: DescField): boolean {
  const fixed: readonly (ScalarType | undefined)[] = [ScalarType.BOOL, ScalarType.FLOAT, ScalarType.DOUBLE];
  return field.fieldKind === "enum" || (field.fieldKind === "scalar" && fixed.includes(field.scalar));
}

export function textOf(path: FieldPath): string {
  return path.map(({ name }) => name).join(".");
}
