import type { Principal } from "../context-values.ts";
import { credentialEnded } from "../errors.ts";
import type { Clock } from "../values/clock.ts";
import type { Authenticate, Credential } from "./authenticate.ts";

/**
 * Watches the credential of a long-lived call, which was accepted as `principal`, until the call's own signal is
 * aborted. The returned signal is aborted with UNAUTHENTICATED once the credential is revoked or expires.
 */
export type WatchCredential = (credential: Credential, principal: Principal, call: AbortSignal) => AbortSignal;

export interface CredentialWatchOptions {
  readonly authenticate: Authenticate;
  readonly clock: Clock;
  /**
   * Interval between lookups of an API key. Together with the cache's time to live (see `cacheAccepted`) it bounds how
   * long a stream outlives its key. Default 400 ms.
   */
  readonly recheckMs?: number;
  /** How long streams survive an unreachable key store. Default 30 s. */
  readonly unreachableMs?: number;
}

/** Longest delay of a Node timer. */
const maxTimerMs = 2 ** 31 - 1;
const noHeaders = new Headers();

interface Entry {
  readonly ended: AbortController;
  readonly principal: Principal;
  calls: number;
  confirmedAtMs: number;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Ends calls that outlive their credential. API keys are looked up periodically, once for all calls with the same key;
 * other credentials end at `Principal.expiresAt`. Timers do not keep the process alive.
 *
 * Failed lookups are retried; calls end with UNAUTHENTICATED if none succeeds within `unreachableMs`.
 */
export function createCredentialWatch(options: CredentialWatchOptions): WatchCredential {
  const { authenticate, clock, recheckMs = 400, unreachableMs = 30_000 } = options;
  const entries = new Map<string, Entry>();

  const isValid = async (credential: Credential, entry: Entry): Promise<boolean> => {
    const { expiresAt, kind } = entry.principal;
    if (expiresAt !== undefined && clock.now().getTime() >= expiresAt) {
      return false;
    }
    if (kind !== "api_key") {
      return true;
    }
    try {
      const found = await authenticate(credential, noHeaders, entry.ended.signal, "");
      entry.confirmedAtMs = clock.monotonicMs();
      return found !== undefined;
    } catch {
      return clock.monotonicMs() - entry.confirmedAtMs < unreachableMs;
    }
  };

  const schedule = (id: string, credential: Credential, entry: Entry): void => {
    const { expiresAt, kind } = entry.principal;
    const leftMs = expiresAt === undefined ? maxTimerMs : Math.max(0, expiresAt - clock.now().getTime());
    const delayMs = Math.min(leftMs, kind === "api_key" ? recheckMs : maxTimerMs);
    const check = async () => {
      const valid = await isValid(credential, entry);
      if (entries.get(id) !== entry) {
        return;
      }
      if (valid) {
        schedule(id, credential, entry);
      } else {
        entries.delete(id);
        entry.ended.abort(credentialEnded());
      }
    };
    entry.timer = setTimeout(check, delayMs).unref();
  };

  const enter = (id: string, credential: Credential, principal: Principal): Entry => {
    const known = entries.get(id);
    if (known !== undefined) {
      return known;
    }
    const confirmedAtMs = clock.monotonicMs();
    const entry: Entry = { ended: new AbortController(), principal, calls: 0, confirmedAtMs, timer: undefined };
    entries.set(id, entry);
    schedule(id, credential, entry);
    return entry;
  };

  return (credential, principal, call) => {
    call.throwIfAborted();
    const id = `${credential.scheme} ${credential.token}`;
    const entry = enter(id, credential, principal);
    entry.calls += 1;
    const leave = () => {
      entry.calls -= 1;
      if (entry.calls === 0) {
        clearTimeout(entry.timer);
        if (entries.get(id) === entry) {
          entries.delete(id);
        }
      }
    };
    call.addEventListener("abort", leave, { once: true });
    return entry.ended.signal;
  };
}
