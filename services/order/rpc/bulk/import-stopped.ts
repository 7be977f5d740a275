/** Why an import ended before the end of its file. Machine-readable. */
export type StopReason = "ROW_LIMIT" | "BYTE_LIMIT" | "TIME_LIMIT" | "FILE_MALFORMED";

/** Thrown to end an import in the middle of its file: orders imported before remain, and the response reports it. */
export class ImportStopped extends Error {
  override readonly name = "ImportStopped";
  readonly reason: StopReason;

  constructor(reason: StopReason, message: string) {
    super(message);
    this.reason = reason;
  }
}
