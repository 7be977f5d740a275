import type { Principal } from "../../../runtime/context-values.ts";
import { resourceExhausted } from "../../../runtime/errors.ts";

export interface ExportLimits {
  /** Maximum concurrent exports per credential. */
  readonly perCaller: number;
  /** Maximum concurrent exports per process. */
  readonly perProcess: number;
}

export const exportLimits: ExportLimits = { perCaller: 4, perProcess: 32 };

/** Limits concurrent exports, so that slow readers hold bounded memory. */
export interface ExportSlots {
  /**
   * Takes a slot until the signal aborts or the returned function is called. Calling it twice is safe.
   *
   * @throws ConnectError RESOURCE_EXHAUSTED if the caller or the process has too many exports
   */
  take(principal: Pick<Principal, "tenant" | "kind" | "subject">, signal: AbortSignal): () => void;
}

export function createExportSlots(limits: ExportLimits = exportLimits): ExportSlots {
  const running = new Map<string, number>();
  let total = 0;

  return {
    take({ tenant, kind, subject }, signal) {
      const caller = JSON.stringify([tenant, kind, subject]);
      const callerSlots = running.get(caller) ?? 0;
      if (callerSlots >= limits.perCaller || total >= limits.perProcess) {
        const whose =
          callerSlots >= limits.perCaller ? `this credential has ${callerSlots}` : `this process has ${total}`;
        throw resourceExhausted("TOO_MANY_EXPORTS", `${whose} exports running; wait for one to end`);
      }
      running.set(caller, callerSlots + 1);
      total += 1;
      let released = false;
      const release = () => {
        if (!released) {
          released = true;
          total -= 1;
          const left = (running.get(caller) ?? 1) - 1;
          if (left === 0) {
            running.delete(caller);
          } else {
            running.set(caller, left);
          }
        }
      };
      signal.addEventListener("abort", release, { once: true });
      return release;
    },
  };
}
