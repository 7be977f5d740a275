/** The program cannot do what the arguments or files request. The message is for the terminal and says what to do. */
export class ProgramError extends Error {
  override readonly name: string = "ProgramError";
}
