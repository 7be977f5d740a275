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
import { decodeEvent, encodeEvent, typeOfEvent } from "./event.ts";
import { callbacksFor, type ScheduledCallback, type ScriptTiming, scriptOf } from "./script.ts";
import { paymentStateAt } from "./standing.ts";
import { behaviourOf } from "./tokens.ts";
import { eventIdOf, withdrawSteps } from "./withdraw.ts";

type Trx = Transaction<PaymentDatabase>;

/** Where the sandbox's callbacks go. */
export const SANDBOX_CALLBACK_PATH = "/v1/webhooks/payments/sandbox";

export interface SandboxOptions {
  readonly db: Database<PaymentDatabase>;
  readonly ids: Ids;
  readonly sender: WebhookSender;
  /** Signs what it sends. */
  readonly secret: string;
  /** Where shoppers reach this installation. */
  readonly publicUrl: () => string;
  /** How long a step of a payment's script takes. */
  readonly delayMs: number;
  /** How long after its expiry a late payment is paid. */
  readonly lateMs: number;
}

/** The provider, and its shopper's side. */
export interface SandboxProvider extends PaymentProvider {
  /** The payment that a client secret opens, as it stands; undefined when there is none. */
  showPayment(clientSecret: string): Promise<{ payment: SandboxPayment; isOpen: boolean } | undefined>;
  /** The shopper pays or declines. False when there is no such payment; nothing happens when it is not open any more. */
  completePayment(clientSecret: string, decline: boolean): Promise<boolean>;
}

/**
 * A payment provider that only pretends. It stands for somebody else's system: what it knows is in tables of its own, and
 * of what happens to a payment later it tells by signed callbacks over HTTP, or when it is asked. What happens depends on
 * the payment token alone, see `tokens.ts`.
 */
export function createSandboxProvider(options: SandboxOptions): SandboxProvider {
  const { db, ids, sender, publicUrl } = options;
  const webhook = new Webhook(options.secret);
  const redirectUrl = (clientSecret: string) => new URL(`/v1/sandboxPayments/${clientSecret}`, publicUrl()).href;

  const timingAt = (nowMs: number): ScriptTiming => ({ nowMs, delayMs: options.delayMs, lateMs: options.lateMs });

  /** Schedules the callbacks of steps, each telling how the payment will stand when the step has come to pass. */
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
        const known = steps.filter((it) => it.number <= step.number);
        const standing = paymentStateAt(payment, known, step.effectiveAt, redirectUrl);
        const body = encodeEvent(messageId, `payment.${step.kind}`, standing);
        return delaysMs.map((delayMs) => ({ messageId, url: SANDBOX_CALLBACK_PATH, body, delayMs }));
      }),
    );

  /** Decides on a request and does what was decided; a repetition finds its steps and does nothing. */
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
      return eventId === undefined ? undefined : { eventId, eventType: typeOfEvent(callback.body).slice(0, 255) };
    },

    read(body) {
      const report = decodeEvent(body);
      return report === undefined ? [] : [report];
    },

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

/** 128 random bits: an id of `Ids` can be guessed from another one, as two of the same millisecond differ by one. */
function newClientSecret(): string {
  return `sbx_secret_${randomBytes(16).toString("hex")}`;
}
