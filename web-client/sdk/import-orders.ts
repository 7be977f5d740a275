import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { type ImportOrdersResponse, ImportOrdersResponseSchema } from "../../gen/docket/order/v1/order_service_pb.js";
import { toDocketError } from "./errors.ts";
import { restError } from "./rest-error.ts";

/** The content of a file. Streams are sent incrementally; browsers without request streaming need a Blob or text. */
export type ImportSource = string | Uint8Array<ArrayBuffer> | Blob | ReadableStream<Uint8Array>;

type FileType = "text/csv" | "application/x-ndjson";

/** Options of an import. */
export interface ImportOptions {
  /** `text/csv` or `application/x-ndjson`, optionally with the encoding: `text/csv; charset=windows-1252`. */
  readonly contentType: FileType | `${FileType};${string}`;
  /** Validates every row without creating orders. */
  readonly validateOnly?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The server and credentials to use. */
export interface RestEndpoint {
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
  readonly fetch: typeof globalThis.fetch;
}

/**
 * Sends a file to ImportOrders. The response has a `stop` if the import ended before the end of the file. Uses REST, as
 * Connect cannot stream requests in browsers.
 */
export async function importOrders(
  { baseUrl, apiKey, fetch }: RestEndpoint,
  source: ImportSource,
  { contentType, validateOnly, signal }: ImportOptions,
): Promise<ImportOrdersResponse> {
  const query = validateOnly === true ? "?validateOnly=true" : "";
  const request: RequestInit & { duplex?: "half" } = {
    method: "POST",
    headers: { "content-type": contentType, ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }) },
    body: source,
    ...(source instanceof ReadableStream && { duplex: "half" }),
    ...(signal && { signal }),
  };
  let response: Response;
  try {
    response = await fetch(`${baseUrl}/v1/orders:import${query}`, request);
  } catch (error) {
    throw toDocketError(error);
  }
  if (!response.ok) {
    throw await restError(response);
  }
  return fromJson(ImportOrdersResponseSchema, (await response.json()) as JsonValue, { ignoreUnknownFields: true });
}
