import { Code, ConnectError } from "@connectrpc/connect";
import { beforeAll, expect, test } from "@jest/globals";
import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from "jose";
import type { VerifyToken } from "./authenticate.ts";
import { createJwtVerifier } from "./jwt.ts";

const issuer = "https://id.example";
const audience = "docket";
const { signal } = new AbortController();

let pair: Awaited<ReturnType<typeof generateKeyPair>>;
let verify: VerifyToken;

beforeAll(async () => {
  pair = await generateKeyPair("ES256");
  const keys = { keys: [{ ...(await exportJWK(pair.publicKey)), kid: "k1", alg: "ES256" }] };
  verify = createJwtVerifier({ keys, issuer, audience });
});

const good: JWTPayload = { iss: issuer, aud: audience, sub: "ann", tenant: "acme", scope: "orders.read orders.write" };

const sign = (payload: JWTPayload, options: { kid?: string; exp?: string; typ?: string } = {}) =>
  new SignJWT(payload)
    .setProtectedHeader({
      alg: "ES256",
      kid: options.kid ?? "k1",
      ...(options.typ !== undefined && { typ: options.typ }),
    })
    .setExpirationTime(options.exp ?? "5m")
    .sign(pair.privateKey);

test("a good token is its subject, tenant, scopes and expiry", async () => {
  expect(await verify(await sign(good), signal)).toEqual({
    kind: "jwt",
    tenant: "acme",
    subject: "ann",
    scopes: new Set(["orders.read", "orders.write"]),
    expiresAt: expect.any(Number),
  });
  const { scope: _, ...others } = good;
  const withList = await verify(await sign({ ...others, aud: ["x", audience], scp: ["items.read"] }), signal);
  expect(withList?.scopes).toEqual(new Set(["items.read"]));
});

test("a token of another audience, issuer, time, key or algorithm is rejected", async () => {
  const { tenant: _, ...withoutTenant } = good;
  const other = await generateKeyPair("ES256");
  const publicPem = new TextEncoder().encode(await exportSPKI(pair.publicKey));
  const tokens = {
    audience: await sign({ ...good, aud: "somebody-else" }),
    issuer: await sign({ ...good, iss: "https://evil.example" }),
    expired: await sign(good, { exp: "-1m" }),
    notYet: await sign({ ...good, nbf: Math.floor(Date.now() / 1000) + 600 }),
    tenantless: await sign(withoutTenant),
    emptyTenant: await sign({ ...good, tenant: "" }),
    longTenant: await sign({ ...good, tenant: "a".repeat(64) }),
    tenantOfAnotherForm: await sign({ ...good, tenant: "Acme/../other" }),
    longSubject: await sign({ ...good, sub: "s".repeat(201) }),
    subjectWithNewline: await sign({ ...good, sub: "ann\nroot" }),
    logoutToken: await sign(good, { typ: "logout+jwt" }),
    proofOfPossession: await sign(good, { typ: "dpop+jwt" }),
    livesTooLong: await sign(good, { exp: "25h" }),
    livedTooLong: await sign({ ...good, iat: Math.floor(Date.now() / 1000) - 25 * 3600 }),
    issuedInTheFuture: await sign({ ...good, iat: Math.floor(Date.now() / 1000) + 600 }),
    neverExpires: await new SignJWT(good).setProtectedHeader({ alg: "ES256", kid: "k1" }).sign(pair.privateKey),
    unknownKey: await sign(good, { kid: "k2" }),
    forgedKey: await new SignJWT(good)
      .setProtectedHeader({ alg: "ES256", kid: "k1" })
      .setExpirationTime("5m")
      .sign(other.privateKey),
    algNone: new UnsecuredJWT(good).setExpirationTime("5m").encode(),
    publicKeyAsSecret: await new SignJWT(good)
      .setProtectedHeader({ alg: "HS256", kid: "k1" })
      .setExpirationTime("5m")
      .sign(publicPem),
    tampered: (await sign(good)).replace(/\.[^.]+\./, `.${Buffer.from('{"sub":"root"}').toString("base64url")}.`),
    garbage: "eyJ.e30.x",
  };
  for (const [name, token] of Object.entries(tokens)) {
    expect([name, await verify(token, signal)]).toEqual([name, undefined]);
  }
});

test("an access token may say that it is one, in any of the ways that RFC 9068 allows", async () => {
  for (const typ of ["JWT", "at+jwt", "AT+JWT", "application/at+jwt"]) {
    expect([typ, (await verify(await sign(good, { typ }), signal))?.subject]).toEqual([typ, "ann"]);
  }
});

test("a token does not name tenants unless the configuration lets its issuer grant that", async () => {
  const token = await sign({ ...good, scope: "admin platform.admin" });
  expect((await verify(token, signal))?.scopes).toEqual(new Set(["admin"]));
  const keys = { keys: [{ ...(await exportJWK(pair.publicKey)), kid: "k1", alg: "ES256" }] };
  const trusting = createJwtVerifier({ keys, issuer, audience, grantsPlatformAdmin: true });
  expect((await trusting(token, signal))?.scopes).toEqual(new Set(["admin", "platform.admin"]));
});

test("trouble with the issuer's keys is UNAVAILABLE, and names no address", async () => {
  const unreachable = createJwtVerifier({ keys: new URL("http://127.0.0.1:1/keys"), issuer, audience });
  const error = await unreachable(await sign(good), signal).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ConnectError);
  expect(error).toMatchObject({ code: Code.Unavailable, rawMessage: "the token cannot be verified at the moment" });
});
