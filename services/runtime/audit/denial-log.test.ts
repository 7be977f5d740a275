import { create } from "@bufbuild/protobuf";
import { expect, test } from "@jest/globals";
import { AuditEventSchema } from "../../../gen/docket/audit/v1/audit_pb.js";
import type { RateLimiter } from "../limits/rate-limiter.ts";
import { createLogger } from "../telemetry/log.ts";
import { createDenialLog, type Denial } from "./denial-log.ts";

const log = createLogger({ level: "silent", name: "test" });

/** Allows so many uses of each key until it is renewed. */
function limiter(limit: number): RateLimiter & { renew(): void } {
  const uses = new Map<string, number>();
  const use = async (key: string) => {
    uses.set(key, (uses.get(key) ?? 0) + 1);
    const used = uses.get(key) ?? 0;
    return { allowed: used <= limit, limit, remaining: Math.max(0, limit - used), resetMs: 1 };
  };
  return { limit, windowSeconds: 1, use, look: use, renew: () => uses.clear() };
}

const denial = (actor: string): Denial => ({
  tenant: "t1",
  event: create(AuditEventSchema, { actor, method: "m", details: { path: "/v1/x" } }),
});

test("a caller's attempts beyond the limit are dropped and counted, and others' are not held up", async () => {
  const sent: Denial[] = [];
  const perCaller = limiter(2);
  const denials = createDenialLog({ send: async (it) => sent.push(it), log, perCaller, inAll: limiter(1_000) });
  for (let i = 0; i < 7; i++) {
    denials.report(denial("api_key:a"));
  }
  denials.report(denial("api_key:b"));
  await denials[Symbol.asyncDispose]();
  expect(sent.map(({ event }) => event.actor)).toEqual(["api_key:a", "api_key:a", "api_key:b"]);

  perCaller.renew();
  denials.report(denial("api_key:a"));
  await denials[Symbol.asyncDispose]();
  expect(sent).toHaveLength(4);
  expect(sent.reduce((sum, { event }) => sum + Number(event.details["dropped"] ?? 0), 0)).toBe(5);
  denials.report(denial("api_key:a"));
  await denials[Symbol.asyncDispose]();
  expect(sent.at(-1)?.event.details).toEqual({ path: "/v1/x" });
});

test("all callers together are limited, and so are attempts that are on their way", async () => {
  const sent: Denial[] = [];
  const some = createDenialLog({ send: async (it) => sent.push(it), log, inAll: limiter(3) });
  for (let i = 0; i < 10; i++) {
    some.report(denial(`jwt:${i}`));
  }
  await some[Symbol.asyncDispose]();
  expect(sent).toHaveLength(3);

  const slow = Promise.withResolvers<void>();
  let begun = 0;
  const stuck = createDenialLog({
    send: () => {
      begun += 1;
      return slow.promise;
    },
    log,
  });
  for (let i = 0; i < 500; i++) {
    stuck.report(denial(`jwt:${i}`));
  }
  slow.resolve();
  await stuck[Symbol.asyncDispose]();
  expect(begun).toBe(100);
});

test("an attempt that cannot be stored is counted, and throws nothing", async () => {
  const sent: Denial[] = [];
  let broken = true;
  const denials = createDenialLog({
    send: async (it) => {
      if (broken) {
        throw new Error("the database is gone");
      }
      sent.push(it);
    },
    log,
  });
  denials.report(denial("api_key:a"));
  await denials[Symbol.asyncDispose]();
  broken = false;
  denials.report(denial("api_key:a"));
  await denials[Symbol.asyncDispose]();
  expect(sent[0]?.event.details).toMatchObject({ dropped: "1" });
});
