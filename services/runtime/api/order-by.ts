import { invalidArgument } from "../errors.ts";

/** One sort term. */
export interface OrderTerm<Field extends string> {
  field: Field;
  direction: "asc" | "desc";
}

/**
 * Parses `order_by` (AIP-132): comma-separated field names, each optionally followed by ` desc`. Blank returns an empty
 * list, which means the method's default order.
 *
 * @throws ConnectError INVALID_ARGUMENT, field `order_by`, naming every invalid term and the allowed fields.
 */
export function parseOrderBy<const Field extends string>(
  orderBy: string,
  fields: readonly Field[],
): readonly OrderTerm<Field>[] {
  if (orderBy.trim() === "") {
    return [];
  }
  const terms: OrderTerm<Field>[] = [];
  const problems: string[] = [];
  for (const text of orderBy.split(",")) {
    const [name = "", direction = "asc", ...rest] = text.trim().split(/\s+/);
    const field = fields.find((it) => it === name);
    if (field === undefined) {
      problems.push(`cannot sort by ${JSON.stringify(name)}; known fields: ${fields.join(", ")}`);
    } else if ((direction !== "asc" && direction !== "desc") || rest.length > 0) {
      problems.push(`${JSON.stringify(text.trim())} is not a field with "desc" or nothing after it`);
    } else if (terms.some((term) => term.field === field)) {
      problems.push(`${field} occurs twice`);
    } else {
      terms.push({ field, direction });
    }
  }
  if (problems.length > 0) {
    throw invalidArgument(problems.map((description) => ({ field: "order_by", description })));
  }
  return terms;
}
