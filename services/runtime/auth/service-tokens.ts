import type { Interceptor } from "@connectrpc/connect";
import { errors, jwtVerify, SignJWT } from "jose";
import { type Live, mapLive } from "../config/live.ts";
import { type Principal, principalKey } from "../context-values.ts";
import type { Clock } from "../values/clock.ts";
import type { VerifyToken } from "./authenticate.ts";

/** Mutual authentication of services in separate processes. */
export interface ServiceTokens {
  /**
   * Client interceptor: signs calls made as a service (see `createServiceClient`) with a token that carries the
   * service's name and the tenant. Other calls pass unchanged.
   */
  readonly sign: Interceptor;
  /** Verifier for the server's `createAuthenticate`. */
  readonly verify: VerifyToken;
}

export interface ServiceTokenOptions {
  /**
   * Secrets shared by all services of an installation, each at least 32 bytes. The first one signs; tokens of each are
   * accepted, so that a secret can be replaced while processes read it at different times.
   */
  readonly secrets: Live<readonly [string, ...string[]]>;
  readonly clock: Clock;
}

const issuer = "docket";
const audience = "docket-services";
const lifetimeSeconds = 120;
/** A token is reused for half of its lifetime, because signing one costs more than a call. */
const reuseMs = (lifetimeSeconds * 1000) / 2;
const maxCachedTokens = 10_000;

/** @throws if a secret is too short */
export function createServiceTokens({ secrets, clock }: ServiceTokenOptions): ServiceTokens {
  const keys = mapLive(secrets, ([signing, ...accepted]) => [keyOf(signing), ...accepted.map(keyOf)] as const);
  const cached = new Map<string, { token: string; signedAtMs: number }>();
  keys.onChange(() => cached.clear());

  const tokenFor = async (subject: string, tenant: string): Promise<string> => {
    const id = JSON.stringify([subject, tenant]);
    const nowMs = clock.now().getTime();
    const known = cached.get(id);
    if (known !== undefined && nowMs - known.signedAtMs < reuseMs) {
      return known.token;
    }
    const issuedAt = Math.floor(nowMs / 1000);
    const [key] = keys.current;
    const token = await new SignJWT({ tenant })
      .setProtectedHeader({ alg: "HS256" })
      .setIssuer(issuer)
      .setAudience(audience)
      .setSubject(subject)
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + lifetimeSeconds)
      .sign(key);
    if (cached.size >= maxCachedTokens) {
      cached.clear();
    }
    if (key === keys.current[0]) {
      cached.set(id, { token, signedAtMs: nowMs });
    }
    return token;
  };

  const verifyWith = async (key: Uint8Array, token: string): Promise<Principal | undefined> => {
    try {
      const { payload } = await jwtVerify(token, key, {
        issuer,
        audience,
        algorithms: ["HS256"],
        requiredClaims: ["sub", "exp", "tenant"],
        clockTolerance: 5,
        currentDate: clock.now(),
      });
      const { sub: subject, tenant } = payload;
      return subject !== undefined && typeof tenant === "string"
        ? { kind: "service", tenant, subject, scopes: new Set() }
        : undefined;
    } catch (error) {
      if (error instanceof errors.JOSEError) {
        return undefined;
      }
      throw error;
    }
  };

  return {
    sign: (next) => async (request) => {
      const principal = request.contextValues.get(principalKey);
      if (principal?.kind === "service") {
        request.header.set("authorization", `Service ${await tokenFor(principal.subject, principal.tenant)}`);
      }
      return next(request);
    },
    async verify(token) {
      for (const key of keys.current) {
        const principal = await verifyWith(key, token);
        if (principal !== undefined) {
          return principal;
        }
      }
      return undefined;
    },
  };
}

function keyOf(secret: string): Uint8Array {
  const key = new TextEncoder().encode(secret);
  if (key.length < 32) {
    throw new Error("the secret of service tokens must have 32 bytes or more");
  }
  return key;
}
