/** The format of a message stream on REST. */
export type StreamFormat = "sse" | "ndjson" | "array";

/** The texts around and between the messages of a stream. Every message is JSON without line breaks. */
export interface StreamWriter {
  readonly contentType: string;
  /** Written with the head, before the first message. */
  readonly open: string;
  message(json: string, id: string | undefined): string;
  /** The last element of a failed stream: google.rpc.Status under the key `error`. */
  error(statusJson: string): string;
  /** Written after the last message of a successful stream; `close` follows an error. */
  end(): string;
  close(): string;
  /** Keeps idle connections open; empty if the format has no heartbeat. */
  readonly heartbeat: string;
}

/** Creates the writer of a format; a writer serves one stream. */
export function createStreamWriter(format: StreamFormat): StreamWriter {
  switch (format) {
    case "sse":
      return {
        contentType: "text/event-stream",
        open: "",
        message: (json, id) => `${id === undefined ? "" : `id: ${id}\n`}data: ${json}\n\n`,
        error: (statusJson) => `event: error\ndata: ${statusJson}\n\n`,
        end: () => "event: end\ndata: {}\n\n",
        close: () => "",
        heartbeat: ": keep-alive\n\n",
      };
    case "ndjson":
      return {
        contentType: "application/x-ndjson",
        open: "",
        message: (json) => `${json}\n`,
        error: (statusJson) => `{"error":${statusJson}}\n`,
        end: () => "",
        close: () => "",
        heartbeat: "\n",
      };
    case "array": {
      let separator = "";
      const element = (json: string): string => {
        const text = `${separator}${json}`;
        separator = ",\n";
        return text;
      };
      return {
        contentType: "application/json",
        open: "[",
        message: (json) => element(json),
        error: (statusJson) => element(`{"error":${statusJson}}`),
        end: () => "]\n",
        close: () => "]\n",
        heartbeat: " ",
      };
    }
    default:
      return format satisfies never;
  }
}

const mediaTypes: Readonly<Record<string, StreamFormat>> = {
  "text/event-stream": "sse",
  "application/x-ndjson": "ndjson",
  "application/ndjson": "ndjson",
  "application/jsonl": "ndjson",
  "application/json": "array",
};

/** Negotiates the format by `Accept`, the highest weight first; `byDefault` if the header names no supported format. */
export function negotiateStreamFormat(accept: string | undefined, byDefault: StreamFormat): StreamFormat {
  let best = byDefault;
  let bestQuality = 0;
  for (const part of (accept ?? "").split(",")) {
    const [type = "", ...parameters] = part.split(";");
    const format = mediaTypes[type.trim().toLowerCase()];
    if (format === undefined) continue;
    const quality = parameters
      .map((parameter) => /^\s*q\s*=\s*([\d.]+)\s*$/i.exec(parameter)?.[1])
      .find((weight) => weight);
    const weight = quality === undefined ? 1 : Number(quality);
    if (weight > bestQuality) {
      best = format;
      bestQuality = weight;
    }
  }
  return best;
}
