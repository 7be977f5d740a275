import type { ApiResponse } from "./http-api.ts";

/** What an error response of an API in Google's style says. */
export interface ApiError {
  /** The HTTP status. */
  readonly status: number;
  /** The code of `google.rpc.Status`; undefined if the body is something else. */
  readonly code: number | undefined;
  readonly message: string;
  /** The type of the resource that the error is about; empty if it names none. */
  readonly resourceType: string;
}

/** Reads `google.rpc.Status` as JSON; of any other body only its beginning is kept, as the message. */
export function apiErrorOf({ status, body }: ApiResponse): ApiError {
  const json = objectOf(parse(body));
  const { code, message, details } = json;
  if (typeof code !== "number" || typeof message !== "string") {
    return { status, code: undefined, message: body.slice(0, 200), resourceType: "" };
  }
  const types = (Array.isArray(details) ? details : []).map((detail) => objectOf(detail)["resourceType"]);
  return { status, code, message, resourceType: types.find((type) => typeof type === "string") ?? "" };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
