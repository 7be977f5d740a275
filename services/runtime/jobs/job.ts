/**
 * Does what is due now, for processes that may be suspended between requests and therefore run no loops. Resolves when
 * nothing is due any more, or after the signal is aborted, and nothing of it is in progress then: no transaction is open
 * and no lease of this process is needed. Returns whether anything was done.
 *
 * @throws if what is due cannot be read
 */
export type Job = (signal: AbortSignal) => Promise<boolean>;

/** Jobs by name. */
export type Jobs = Readonly<Record<string, Job>>;
