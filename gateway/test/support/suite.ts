import { readFileSync } from "node:fs";
import type { JsonValue } from "@bufbuild/protobuf";

/** The common properties of every case in `testdata/transcoding`. */
export interface SuiteCase {
  readonly name: string;
  readonly reason: string;
  readonly source: string;
}

/** A template, or the position of its error. */
export interface TemplateCase extends SuiteCase {
  readonly template: string;
  readonly error?: { readonly column: number };
  readonly segments?: readonly string[];
  readonly verb?: string;
  readonly variables?: readonly { readonly field: string; readonly start: number; readonly end: number }[];
}

/** A request matched against rules, or conflicting rules. */
export interface MatchCase extends SuiteCase {
  readonly rules: readonly string[];
  readonly request?: string;
  readonly match?: string;
  readonly status?: number;
  readonly ambiguous?: boolean;
}

/** An HTTP request. */
export interface SuiteRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A request and the resulting message, or the error. */
export interface RequestCase extends SuiteCase {
  readonly request: SuiteRequest;
  readonly rpc?: string;
  readonly message?: JsonValue;
  readonly error?: { readonly status: number; readonly code: number; readonly fields?: readonly string[] };
}

/** The outcome of a method, and the resulting response. */
export interface AnswerCase extends SuiteCase {
  readonly request: SuiteRequest;
  readonly rpc?: string;
  readonly returns?: JsonValue;
  readonly throws?: { readonly code: number; readonly message: string; readonly reason?: string };
  readonly answer: {
    readonly status: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: JsonValue;
  };
}

/** Reads the cases of one file. */
export function readSuite<T extends SuiteCase>(name: string): T[] {
  const text = readFileSync(new URL(`../testdata/transcoding/${name}.json`, import.meta.url), "utf8");
  return (JSON.parse(text) as { cases: T[] }).cases;
}
