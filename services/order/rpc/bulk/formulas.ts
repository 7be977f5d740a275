/**
 * Spreadsheets take a cell that begins with one of these for a formula, also a text from a stranger such as a customer's
 * name (CSV injection).
 */
const formula = /^'*[=+\-@\t\r\n＝＋－＠]/;
const escapedFormula = /^'+[=+\-@\t\r\n＝＋－＠]/;

/**
 * A cell that no spreadsheet evaluates: an apostrophe before what would be a formula. Texts that begin with apostrophes
 * and go on as a formula get one more, so that {@link fromFormulaSafe} is the exact inverse.
 */
export function toFormulaSafe(text: string): string {
  return formula.test(text) ? `'${text}` : text;
}

/** The text that {@link toFormulaSafe} was given. */
export function fromFormulaSafe(cell: string): string {
  return escapedFormula.test(cell) ? cell.slice(1) : cell;
}
