import { createHmac, timingSafeEqual } from "node:crypto";
import type { Codec } from "./cache.ts";

/** Older texts are not accepted, so that a stored one cannot be replayed later. */
const maxSealAgeMs = 60_000;

/**
 * Seals the texts of a codec: only holders of the secret can make one, for the key that it was made for. A text that is
 * forged, moved to another key, or older than a minute by this machine's clock decodes to undefined.
 */
export function sealedCodec<V>(secret: () => string, codec: Codec<V>, nowMs = Date.now): Codec<V> {
  const sealOf = (body: string, key: string) =>
    createHmac("sha256", secret()).update(`docket cache\0${key}\0${body}`).digest("base64url");
  return {
    encode(value, key) {
      const body = `${nowMs()}.${codec.encode(value, key)}`;
      return `${sealOf(body, key)}.${body}`;
    },
    decode(text, key) {
      const [, seal = "", body = ""] = /^([^.]*)\.(.*)$/s.exec(text) ?? [];
      const expected = Buffer.from(sealOf(body, key));
      const given = Buffer.from(seal);
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
        return undefined;
      }
      const [, sealedAt = "", inner = ""] = /^(\d+)\.(.*)$/s.exec(body) ?? [];
      return Math.abs(nowMs() - Number(sealedAt)) > maxSealAgeMs ? undefined : codec.decode(inner, key);
    },
  };
}
