import { type DescField, type DescMessage, getOption, type Message } from "@bufbuild/protobuf";
import { maxViolations } from "../../../gateway/call/violations.ts";
import { multiline } from "../../../gen/docket/options/v1/options_pb.js";
import { FieldBehavior, field_behavior } from "../../../gen/google/api/field_behavior_pb.js";
import type { FieldViolation } from "../errors.ts";

/** Control characters that no text may contain. NUL ends strings elsewhere. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: They are what is looked for.
const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;
/** Characters that texts of several lines may contain and a single line may not: tab, line breaks, C1 controls. */
const notInLine = /[\t\n\r\u0080-\u009f\u2028\u2029]/;
const lineBreak = /[\n\r\u0085\u2028\u2029]/;

/** Describes what is invalid in a text; undefined if it is valid. */
function problemOf(text: string, isLine: boolean): string | undefined {
  const [found] = control.exec(text) ?? (isLine ? notInLine.exec(text) : undefined) ?? [];
  if (found === undefined) {
    return text.isWellFormed() ? undefined : "must not contain half of a surrogate pair";
  }
  const code = `U+${found.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
  return lineBreak.test(found)
    ? `must be a single line, without the line break ${code}`
    : `must not contain the control character ${code}`;
}

export interface TextCheckOptions {
  /** Whether every text is a single line, except in fields with the option `multiline` and in output-only fields. */
  readonly singleLines: boolean;
}

/**
 * Violations of all texts in a message, map keys included, with characters that are never valid, whatever the field's
 * rules, or that are invalid in a single line.
 */
export function textViolations(
  schema: DescMessage,
  message: Message,
  { singleLines }: TextCheckOptions,
): FieldViolation[] {
  // Most messages have none, which is detected without their schema.
  if (!hasProblem(message, singleLines)) {
    return [];
  }
  const violations: FieldViolation[] = [];
  collect(schema, message, { path: "", singleLines, violations });
  return violations;
}

function hasProblem(root: unknown, isLine: boolean): boolean {
  const pending: unknown[] = [root];
  while (pending.length > 0) {
    const value = pending.pop();
    if (typeof value === "string") {
      if (problemOf(value, isLine) !== undefined) {
        return true;
      }
    } else if (typeof value === "object" && value !== null && !(value instanceof Uint8Array)) {
      const isMap = !Array.isArray(value) && !("$typeName" in value);
      for (const key in value) {
        if (isMap && problemOf(key, isLine) !== undefined) {
          return true;
        }
        pending.push((value as Record<string, unknown>)[key]);
      }
    }
  }
  return false;
}

interface Collection {
  /** Path of the message, with a final dot. */
  readonly path: string;
  readonly singleLines: boolean;
  readonly violations: FieldViolation[];
}

function collect(schema: DescMessage, message: Message, { path, singleLines, violations }: Collection): void {
  const checkValue = (field: DescField, value: unknown, name: string): void => {
    const areLines = singleLines && !isOutputOnly(field);
    if (field.message !== undefined) {
      collect(field.message, value as Message, { path: `${name}.`, singleLines: areLines, violations });
      return;
    }
    const isLine = areLines && !getOption(field, multiline);
    const description = typeof value === "string" ? problemOf(value, isLine) : undefined;
    if (description !== undefined) {
      violations.push({ field: name, description });
    }
  };
  const values = message as unknown as Record<string, unknown>;
  for (const field of schema.fields) {
    if (violations.length > maxViolations) {
      return;
    }
    const held = field.oneof && (values[field.oneof.localName] as { case: string | undefined; value?: unknown });
    const value = held === undefined ? values[field.localName] : held.case === field.localName ? held.value : undefined;
    const name = `${path}${field.name}`;
    if (value === undefined) {
      continue;
    }
    if (field.fieldKind === "list") {
      for (const [index, item] of (value as unknown[]).entries()) {
        checkValue(field, item, `${name}[${index}]`);
      }
    } else if (field.fieldKind === "map") {
      for (const [key, item] of Object.entries(value as object)) {
        const description = problemOf(key, singleLines && !isOutputOnly(field));
        if (description !== undefined) {
          violations.push({ field: name, description });
        }
        checkValue(field, item, `${name}[${JSON.stringify(key)}]`);
      }
    } else {
      checkValue(field, value, name);
    }
  }
}

function isOutputOnly(field: DescField): boolean {
  return getOption(field, field_behavior).includes(FieldBehavior.OUTPUT_ONLY);
}
