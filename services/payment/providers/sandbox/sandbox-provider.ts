import { randomBytes } from "node:crypto";
import type { Transaction } from "kysely";
import { Webhook } from "standardwebhooks";
import { verifiedMessageId } from "../../../runtime/callbacks/standard-webhooks.ts";
import type { Database } from "../../../runtime/db/connect.ts";
import type { Ids } from "../../../runtime/values/ids.ts";
import type { WebhookSender } from "../../../runtime/webhooks/webhook-sender.ts";
import type { PaymentDatabase } from "../../db/schema.ts";
import {
  databaseNow,
  findSandboxPayment,
  insertSandboxPayment,
  insertSteps,
  lockSandboxPayment,
  type SandboxPayment,
  type SandboxStep,
  stepsOf,
} from "../../store/sandbox.ts";
import type { PaymentProvider, ProviderAnswer } from "../payment-provider.ts";
import { decide, type SandboxAction } from "./decide.ts";
import { encodeEvent, readEvent } from "./event.ts";
import { callbacksFor, type ScheduledCallback, type ScriptTiming, scriptOf } from "./script.ts";
import { paymentStateAt } from "./standing.ts";
import { behaviourOf } from "./tokens.ts";
import { eventIdOf, withdrawSteps } from "./withdraw.ts";

type Trx = Transaction<PaymentDatabase>;

/** Destination of the sandbox's callbacks. */
export const SANDBOX_CALLBACK_PATH = "/v1/webhooks/payments/sandbox";

export interface SandboxOptions {
  readonly db: Database<PaymentDatabase>;
  readonly ids: Ids;
  readonly sender: WebhookSender;
  /** Signing key of the callbacks. */
  readonly secret: string;
  /** Base URL at which shoppers reach this installation. */
  readonly publicUrl: () => string;
  /** Time between the steps of a payment's script. */
  readonly delayMs: number;
  /** Time after expiry at which late payments are paid. */
  readonly lateMs: number;
}

/** The provider, with its shopper-facing operations. */
export interface SandboxProvider extends PaymentProvider {
  /** Finds the payment of a client secret, in its current state; undefined if there is none. */
  showPayment(clientSecret: string): Promise<{ payment: SandboxPayment; isOpen: boolean } | undefined>;
  /**
   * Pays or declines on behalf of the shopper. Returns false if there is no such payment; does nothing if it is no
   * longer open.
   */
  completePayment(clientSecret: string, decline: boolean): Promise<boolean>;
}

/**
 * A simulated payment provider. It behaves like an external system: its state is in tables of its own, and it reports
 * later changes only by signed callbacks over HTTP or when polled. The payment token alone determines what happens; see
 * `tokens.ts`.
 */
export function createSandboxProvider(options: SandboxOptions): SandboxProvider {
  const { db, ids, sender, publicUrl } = options;
  const webhook = new Webhook(options.secret);
  const redirectUrl = (clientSecret: string) => new URL(`/v1/sandboxPayments/${clientSecret}`, publicUrl()).href;

  const timingAt = (nowMs: number): ScriptTiming => ({ nowMs, delayMs: options.delayMs, lateMs: options.lateMs });

  /** Schedules the callbacks of steps, each reporting the payment's state right after the step. */
  const tell = (
    trx: Trx,
    payment: SandboxPayment,
    steps: readonly SandboxStep[],
    tellings: readonly ScheduledCallback[],
  ) =>
    sender.schedule(
      trx,
      tellings.flatMap(({ step, delaysMs }) => {
        const messageId = eventIdOf(payment, step);
        const known = steps.filter((other) => other.number <= step.number);
        const standing = paymentStateAt(payment, known, step.effectiveAt, redirectUrl);
        const body = encodeEvent(messageId, `payment.${step.kind}`, standing);
        return delaysMs.map((delayMs) => ({ messageId, url: SANDBOX_CALLBACK_PATH, body, delayMs }));
      }),
    );

  /** Decides on a request and applies the decision. A repeated request finds its steps and does nothing. */
  const act = (column: "reference" | "client_secret", value: string, action: SandboxAction) =>
    db.transaction(async (trx): Promise<ProviderAnswer | undefined> => {
      const payment = await lockSandboxPayment(trx, db.dialect, column, value);
      if (payment === undefined) {
        return undefined;
      }
      const nowMs = await databaseNow(trx, db.dialect);
      const before = await stepsOf(trx, payment.reference);
      const report = (steps: readonly SandboxStep[]) => paymentStateAt(payment, steps, nowMs, redirectUrl);
      if (action.key !== null && before.some((step) => step.requestKey === action.key)) {
        return { kind: "done", report: report(before) };
      }
      const timing = timingAt(nowMs);
      const decision = decide(payment, report(before), before, action, { ...timing, newId: ids.next });
      if ("refused" in decision) {
        return { kind: "refused", message: decision.refused, report: report(before) };
      }
      const kept = decision.stops ? await withdrawSteps(trx, sender, payment, before, nowMs) : before;
      await insertSteps(trx, payment.reference, decision.steps);
      const after = [...kept, ...decision.steps];
      const { sends = [0] } = behaviourOf(payment.token);
      await tell(trx, payment, after, callbacksFor(decision.steps, { sends }, timing));
      return { kind: "done", report: report(after) };
    });

  const answer = async (reference: string, action: SandboxAction): Promise<ProviderAnswer> =>
    (await act("reference", reference, action)) ?? { kind: "refused", message: `there is no payment ${reference}` };

  return {
    name: "sandbox",

    open: (request) =>
      db.transaction(async (trx): Promise<ProviderAnswer> => {
        const nowMs = await databaseNow(trx, db.dialect);
        const reference = `sbx_${ids.next()}`;
        const asked: SandboxPayment = {
          reference,
          openKey: request.key,
          tenant: request.payment.tenant,
          payment: request.payment.name,
          currency: request.amount.currency,
          amount: request.amount.minor,
          token: request.paymentToken,
          captureAutomatically: request.captureAutomatically,
          clientSecret: newClientSecret(),
          expiresAt: request.expireTime.getTime(),
        };
        if (await insertSandboxPayment(trx, asked)) {
          const { steps, tellings } = scriptOf(asked, timingAt(nowMs));
          await insertSteps(trx, reference, steps);
          await tell(trx, asked, steps, tellings);
          return { kind: "done", report: paymentStateAt(asked, steps, nowMs, redirectUrl) };
        }
        const known = (await lockSandboxPayment(trx, db.dialect, "open_key", request.key)) ?? asked;
        const steps = await stepsOf(trx, known.reference);
        return { kind: "done", report: paymentStateAt(known, steps, nowMs, redirectUrl) };
      }),

    capture: ({ key, reference, amount }) => answer(reference, { kind: "capture", key, amount: amount.minor }),
    void: ({ key, reference }) => answer(reference, { kind: "void", key }),
    refund: ({ key, reference, amount, refundId }) =>
      answer(reference, { kind: "refund", key, amount: amount.minor, refundId }),

    async fetch(reference) {
      const payment = await findSandboxPayment(db.kysely, "reference", reference);
      if (payment === undefined) {
        return undefined;
      }
      const nowMs = await databaseNow(db.kysely, db.dialect);
      return paymentStateAt(payment, await stepsOf(db.kysely, reference), nowMs, redirectUrl);
    },

    async verify(callback) {
      const eventId = verifiedMessageId(webhook, callback);
      return eventId === undefined ? undefined : { eventId, ...readEvent(callback.body) };
    },

    read: readEvent,

    acknowledgement: { contentType: "application/json", body: "{}" },

    async showPayment(clientSecret) {
      const payment = await findSandboxPayment(db.kysely, "client_secret", clientSecret);
      if (payment === undefined) {
        return undefined;
      }
      const nowMs = await databaseNow(db.kysely, db.dialect);
      const standing = paymentStateAt(payment, await stepsOf(db.kysely, payment.reference), nowMs, redirectUrl);
      const { authorized, failed, voided, actionRequired } = standing;
      return { payment, isOpen: actionRequired && authorized === 0n && !failed && !voided };
    },

    completePayment: async (clientSecret, decline) =>
      (await act("client_secret", clientSecret, { kind: decline ? "decline" : "pay", key: null })) !== undefined,
  };
}

/** 128 random bits: an id from `Ids` is guessable from another one, as two of the same millisecond differ by one. */
function newClientSecret(): string {
  return `sbx_secret_${randomBytes(16).toString("hex")}`;
}
