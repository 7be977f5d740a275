/** The program cannot do what it was told to; the message is for the terminal and says what to do. */
export class ProgramError extends Error {
  override readonly name: string = "ProgramError";
}
