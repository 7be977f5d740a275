import { expect, test } from "@jest/globals";
import type { Principal } from "../context-values.ts";
import { credentialOf } from "./access.ts";
import { createAuthenticate, type VerifyToken } from "./authenticate.ts";

const { signal } = new AbortController();
const seenBy =
  (subject: string): VerifyToken =>
  async (token) => ({ kind: "api_key", tenant: token, subject, scopes: new Set() });

test("keys, JWTs and service tokens each go to whom they concern", async () => {
  const authenticate = createAuthenticate({ apiKey: seenBy("keys"), jwt: seenBy("jwt"), service: seenBy("service") });
  const by = async (header: Record<string, string>): Promise<Principal["subject"] | undefined> => {
    const headers = new Headers(header);
    const credential = credentialOf(headers);
    return credential && (await authenticate(credential, headers, signal, ""))?.subject;
  };
  expect(await by({ "x-api-key": "dk_1" })).toBe("keys");
  expect(await by({ authorization: "Bearer dk_1" })).toBe("keys");
  expect(await by({ authorization: "bearer   eyJhbGciOiJFUzI1NiJ9.e30.c2ln" })).toBe("jwt");
  expect(await by({ "x-api-key": "eyJhbGciOiJFUzI1NiJ9.e30.c2ln" })).toBe("keys");
  expect(await by({ authorization: "Service eyJhbGciOiJIUzI1NiJ9.e30.c2ln" })).toBe("service");
  expect(await by({ authorization: "Bearer one", "x-api-key": "two" })).toBe("keys");
  expect(await by({ authorization: "Basic YTpi" })).toBeUndefined();
  expect(await by({ authorization: "Bearer a b" })).toBeUndefined();
  expect(await by({ authorization: "Bearer a, Bearer b" })).toBeUndefined();
  expect(await by({ authorization: "Bearer" })).toBeUndefined();
  expect(await by({ "x-api-key": "  " })).toBeUndefined();
  expect(await by({})).toBeUndefined();
});

test("a key that is longer than any is refused without a lookup", async () => {
  const authenticate = createAuthenticate({ apiKey: seenBy("keys") });
  const key = (length: number) => ({ scheme: "api_key", token: "k".repeat(length) }) as const;
  expect(await authenticate(key(512), new Headers(), signal, "")).toBeDefined();
  expect(await authenticate(key(513), new Headers(), signal, "")).toBeUndefined();
});

test("what is not set up is no valid credential", async () => {
  const authenticate = createAuthenticate({ apiKey: async () => undefined });
  const jwt = { scheme: "bearer", token: "eyJhbGciOiJFUzI1NiJ9.e30.c2ln" } as const;
  expect(await authenticate(jwt, new Headers(), signal, "")).toBeUndefined();
  expect(await authenticate({ scheme: "service", token: "x" }, new Headers(), signal, "")).toBeUndefined();
});
