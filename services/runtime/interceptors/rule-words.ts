/** Descriptions of string formats by the patterns of the contract's `buf.validate` rules. */
const wordsByPattern: Readonly<Record<string, string>> = {
  "^[A-Z]{2}$": 'must be two capital letters, for example "DE"',
  "^[A-Z]{3}$": 'must be three capital letters, for example "EUR"',
  "^[A-Z][A-Za-z]{0,63}$": "must be 1 to 64 letters, the first a capital letter",
  "^[a-z]+(\\.[a-z]+)?$": 'must be lower-case words with one dot at most between them, for example "orders.read"',
  "^[a-z0-9_]{1,64}$": "must be 1 to 64 lower-case letters, digits and underscores",
  "^[a-z][a-z0-9_-]{0,31}$":
    "must be 1 to 32 lower-case letters, digits, underscores and hyphens, beginning with a letter",
  "^([a-z][a-z0-9_-]{0,31})?$":
    "must be empty, or up to 32 lower-case letters, digits, underscores and hyphens, beginning with a letter",
  "^([a-z][a-z0-9-]{0,62})?$":
    "must be empty, or up to 63 lower-case letters, digits and hyphens, beginning with a letter",
  "^([a-z0-9][a-z0-9-]{0,62})?$":
    "must be empty, or up to 63 lower-case letters, digits and hyphens, not beginning with a hyphen",
  "^(-|[a-z][a-z0-9-]{0,62})?$":
    'must be empty, "-", or up to 63 lower-case letters, digits and hyphens, beginning with a letter',
  "^[a-z][a-z0-9_.-]{0,62}$":
    "must be 1 to 63 lower-case letters, digits, underscores, dots and hyphens, beginning with a letter",
  "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$":
    "must be 1 to 63 letters, digits, dots, underscores and hyphens, beginning with a letter or a digit",
  "^[^/]+/[^/]+$": 'must name a service and its method, for example "docket.order.v1.OrderService/GetOrder"',
  "^(0(\\.[0-9]{1,6})?|1(\\.0{1,6})?)?$": 'must be a decimal from 0 to 1 with up to 6 decimal places, such as "0.15"',
};

/** Matches patterns of resource names, such as `^orders/[^/]{1,64}/payments/[^/]{1,64}$`. */
const resourcePattern = /^\^(?:[A-Za-z]+\/\[\^\/\]\{1,\d+\}(?:\/(?!\$)|(?=\$)))+\$$/;

/** The description of a pattern; undefined if it has none. */
export function wordsOf(pattern: string): string | undefined {
  if (!resourcePattern.test(pattern)) {
    return Object.hasOwn(wordsByPattern, pattern) ? wordsByPattern[pattern] : undefined;
  }
  const form = pattern.slice(1, -1).replace(/([A-Za-z]+)s\/\[\^\/\]\{1,\d+\}/g, "$1s/{$1}");
  return `must have the form "${form}"`;
}

/** Describes a violated rule: a pattern by its description, any other rule by its message. */
export function ruleText({ message, ruleId }: { readonly message: string; readonly ruleId: string }): string {
  const pattern = /^does not match regex pattern `(.*)`$/s.exec(message)?.[1];
  return (pattern === undefined ? undefined : wordsOf(pattern)) ?? (message === "" ? ruleId : message);
}
