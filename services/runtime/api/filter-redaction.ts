import { tokenizeFilter } from "./filter-lexer.ts";
import { type Filter, parseFilter } from "./filter-parser.ts";

/** Placeholder for a redacted value. */
const REDACTED = '"[redacted]"';

/**
 * Returns the filter text with the values redacted that are compared with these fields or their subfields: `customer`
 * covers `customer.id`. For histories that must not hold personal data.
 *
 * @throws ConnectError INVALID_ARGUMENT, reason INVALID_FILTER, for a filter that does not parse
 */
export function redactFilter(filter: string, fields: readonly string[]): string {
  const redacted = new Set<number>();
  const visit = (node: Filter) => {
    switch (node.kind) {
      case "restriction":
        if (fields.includes(node.field[0] ?? "")) {
          redacted.add(node.at.value);
        }
        break;
      case "not":
        visit(node.operand);
        break;
      default:
        node.operands.forEach(visit);
    }
  };
  const tree = parseFilter(filter);
  if (tree === undefined) {
    return filter;
  }
  visit(tree);
  let written = "";
  let from = 0;
  for (const { at, text } of tokenizeFilter(filter)) {
    if (redacted.has(at)) {
      written += filter.slice(from, at) + REDACTED;
      from = at + text.length;
    }
  }
  return written + filter.slice(from);
}
