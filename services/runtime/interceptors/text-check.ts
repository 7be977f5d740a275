import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { FieldViolation } from "../errors.ts";
import { maxViolations } from "../violations.ts";

/**
 * Control characters except tab, line feed and carriage return. They are never valid in texts, and NUL ends strings
 * elsewhere.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: They are what is looked for.
const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;

/** Describes what is invalid in a text; undefined if it is valid. */
function problemOf(text: string): string | undefined {
  const [found] = control.exec(text) ?? [];
  if (found !== undefined) {
    const code = found.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
    return `must not contain the control character U+${code}`;
  }
  return text.isWellFormed() ? undefined : "must not contain half of a surrogate pair";
}

/**
 * Violations of all texts in a message, map keys included, with characters that are never valid, whatever the field's
 * rules.
 */
export function textViolations(schema: DescMessage, message: Message): FieldViolation[] {
  // Most messages have none, which is detected without their schema.
  if (!hasProblem(message)) {
    return [];
  }
  const violations: FieldViolation[] = [];
  collect(schema, message, "", violations);
  return violations;
}

function hasProblem(root: unknown): boolean {
  const pending: unknown[] = [root];
  while (pending.length > 0) {
    const value = pending.pop();
    if (typeof value === "string") {
      if (problemOf(value) !== undefined) {
        return true;
      }
    } else if (typeof value === "object" && value !== null && !(value instanceof Uint8Array)) {
      const isMap = !Array.isArray(value) && !("$typeName" in value);
      for (const key in value) {
        if (isMap && problemOf(key) !== undefined) {
          return true;
        }
        pending.push((value as Record<string, unknown>)[key]);
      }
    }
  }
  return false;
}

function collect(schema: DescMessage, message: Message, path: string, violations: FieldViolation[]): void {
  const checkText = (text: unknown, field: string): void => {
    const description = typeof text === "string" ? problemOf(text) : undefined;
    if (description !== undefined) {
      violations.push({ field, description });
    }
  };
  const checkValue = (inner: DescMessage | undefined, value: unknown, field: string): void => {
    if (inner === undefined) {
      checkText(value, field);
    } else {
      collect(inner, value as Message, `${field}.`, violations);
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
        checkValue(field.message, item, `${name}[${index}]`);
      }
    } else if (field.fieldKind === "map") {
      for (const [key, item] of Object.entries(value as object)) {
        checkText(key, name);
        checkValue(field.message, item, `${name}[${JSON.stringify(key)}]`);
      }
    } else {
      checkValue(field.message, value, name);
    }
  }
}
