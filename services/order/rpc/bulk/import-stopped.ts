/** Why an import ended before the end of its file. Programs may branch on it. */
export type StopReason = "ROW_LIMIT" | "BYTE_LIMIT" | "TIME_LIMIT" | "FILE_MALFORMED";

/** Ends an import in the middle of its file: what was imported before stays, and the response reports it. */
export class ImportStopped extends Error {
  override readonly name = "ImportStopped";
  readonly reason: StopReason;

  constructor(reason: StopReason, message: string) {
    super(message);
    this.reason = reason;
  }
}
