import { type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import type { Fields } from "../fields/field-path.ts";

/**
 * Makes the stream of a method resumable: which field of each message is its id, and which request field receives it.
 */
export interface Resume {
  /** The id of a message for SSE; undefined if it has none (or one that SSE cannot represent). */
  idOf(message: Message): string | undefined;
  /** Sets the request's resume field from `Last-Event-ID`, unless the request sets it itself. */
  apply(request: Message, lastEventId: string): void;
}

/** The name of the string field, in requests and responses, that makes a stream resumable. */
export const resumeField = "resume_token";

/** Creates {@link Resume} for a method. */
export function createResume(input: DescMessage, output: DescMessage): Resume {
  const from = tokenFieldOf(output);
  const to = tokenFieldOf(input);
  return {
    idOf(message) {
      const value = from && (message as unknown as Fields)[from.localName];
      return typeof value === "string" && value !== "" && !/[\r\n\0]/.test(value) ? value : undefined;
    },
    apply(request, lastEventId) {
      if (to === undefined) return;
      const fields = request as unknown as Fields;
      if (fields[to.localName] === "" || fields[to.localName] === undefined) fields[to.localName] = lastEventId;
    },
  };
}

function tokenFieldOf(message: DescMessage): DescField | undefined {
  return message.fields.find(
    (field) => field.name === resumeField && field.scalar === ScalarType.STRING && !field.oneof,
  );
}
