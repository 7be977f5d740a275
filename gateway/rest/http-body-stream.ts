import { create, type Message } from "@bufbuild/protobuf";
import { HttpBodySchema } from "../../gen/google/api/httpbody_pb.js";
import type { Binding } from "../binding/request-binding.ts";
import type { PreparedRoute } from "./prepared-route.ts";

/** Larger chunks are split, so that a message stays well below every receiver's limit. */
const maxChunkBytes = 256 * 1024;

/**
 * Converts a raw body to a stream of request messages, one per chunk as it arrives, in constant memory.
 *
 * The first message carries the fields set by path and query, and is produced even for an empty body. Every message has
 * the content type.
 */
export async function* rawRequests(
  route: PreparedRoute,
  input: Omit<Parameters<Binding["bind"]>[0], "body">,
  contentType: string,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Message> {
  let first = true;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += maxChunkBytes) {
      const data = chunk.subarray(at, at + maxChunkBytes);
      yield first ? bindFirst(data) : follow(data);
      first = false;
    }
  }
  if (first) yield bindFirst(new Uint8Array());

  function bindFirst(data: Uint8Array): Message {
    return route.binding.bind({ ...input, body: { kind: "raw", contentType, data } });
  }

  function follow(data: Uint8Array): Message {
    const body = create(HttpBodySchema, { contentType, data });
    if (typeof route.body !== "object") return body;
    const { oneof, localName } = route.body;
    const init = oneof === undefined ? { [localName]: body } : { [oneof.localName]: { case: localName, value: body } };
    return create(route.method.input, init);
  }
}
