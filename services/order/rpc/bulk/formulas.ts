/**
 * Spreadsheets evaluate cells that begin with one of these as formulas, even text from strangers such as a customer's
 * name (CSV injection).
 */
const formula = /^'*[=+\-@\t\r\n＝＋－＠]/;
const escapedFormula = /^'+[=+\-@\t\r\n＝＋－＠]/;

/**
 * Escapes a cell so that no spreadsheet evaluates it: prefixes an apostrophe to a formula. Text of apostrophes followed
 * by a formula gets one more, so that {@link fromFormulaSafe} is the exact inverse.
 */
export function toFormulaSafe(text: string): string {
  return formula.test(text) ? `'${text}` : text;
}

/** Reverses {@link toFormulaSafe}. */
export function fromFormulaSafe(cell: string): string {
  return escapedFormula.test(cell) ? cell.slice(1) : cell;
}
