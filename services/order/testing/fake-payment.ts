import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { createServiceImplSpec, type ServiceImpl } from "@connectrpc/connect";
import {
  PaymentAuthorizedSchema,
  PaymentCapturedSchema,
  PaymentFailedSchema,
  PaymentMismatchedSchema,
  PaymentRefundedSchema,
  PaymentVoidedSchema,
  RefundFailedSchema,
} from "../../../gen/docket/payment/v1/payment_events_pb.js";
import {
  type Payment,
  Payment_State,
  PaymentSchema,
  Refund_State,
  RefundSchema,
} from "../../../gen/docket/payment/v1/payment_pb.js";
import { ListPaymentsResponseSchema, PaymentService } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import type { EventBus } from "../../runtime/bus/event-bus.ts";
import { principalOf } from "../../runtime/context-values.ts";
import { failedPrecondition, notFound } from "../../runtime/errors.ts";
import { eur } from "./eur.ts";
import { beReachable } from "./fake-outage.ts";
import { publisher } from "./fake-publisher.ts";

/** The payment service in memory: calls are idempotent, and settling what was never opened is remembered. */
export function fakePayment(bus: EventBus) {
  const publish = publisher(bus, "docket/payment");
  const payments = new Map<string, Payment & { tenant: string }>();
  const calls: string[] = [];
  const control = { away: 0, silent: false, paysWhenSettled: false, refusesRefunds: false };
  const orderOf = (name: string) => name.split("/").slice(0, 2).join("/");
  const tell = <Desc extends DescMessage>(schema: Desc, name: string) => {
    const { tenant, ...payment } = payments.get(name) ?? { tenant: "", ...create(PaymentSchema, { name }) };
    return publish(schema, create(schema, { payment } as unknown as MessageInitShape<Desc>), tenant, orderOf(name));
  };
  const change = (name: string, change: Partial<Payment>) => {
    const payment = payments.get(name);
    if (payment === undefined) {
      throw new Error(`there is no ${name}`);
    }
    Object.assign(payment, change);
    return payment;
  };

  const impl: Partial<ServiceImpl<typeof PaymentService>> = {
    anonymizePayments: () => ({}),
    async openPayment({ name, amount, paymentToken, captureAutomatically }, context) {
      beReachable(control);
      calls.push(`open ${name}`);
      const known = payments.get(name);
      if (known !== undefined) {
        if (known.settling) {
          throw failedPrecondition("PAYMENT_SETTLED", `${name} is settled`, []);
        }
        return known;
      }
      const { tenant } = principalOf(context);
      const state = paymentToken === "decline" ? Payment_State.FAILED : Payment_State.REQUIRES_ACTION;
      const opened = create(PaymentSchema, {
        name,
        state,
        captureAutomatically,
        clientSecret: control.silent ? "" : "secret",
        failureMessage: state === Payment_State.FAILED ? "card declined" : "",
        ...(amount && { amount }),
      });
      payments.set(name, { ...opened, tenant });
      return opened;
    },
    getPayment({ name }) {
      const payment = payments.get(name);
      if (payment === undefined) {
        throw notFound("docket.dev/Payment", name);
      }
      return payment;
    },
    async refundPayment({ name, amount }, context) {
      calls.push(`refund ${name} ${amount?.units}.${(amount?.nanos ?? 0) / 10_000_000}`);
      const payment = change(name, {});
      const id = `${payment.refunds.length + 1}`;
      const refuses = control.refusesRefunds;
      const state = refuses ? Refund_State.FAILED : Refund_State.SUCCEEDED;
      const refund = create(RefundSchema, { id, state, failureMessage: refuses ? "the account is closed" : "" });
      Object.assign(refund, { amount });
      payment.refunds.push(refund);
      const { tenant: _, ...snapshot } = payment;
      const target = [principalOf(context).tenant, orderOf(name)] as const;
      if (refuses) {
        const failed = create(RefundFailedSchema, { payment: snapshot, refund });
        await publish(RefundFailedSchema, failed, ...target);
        throw failedPrecondition("PROVIDER_REFUSED", "the account is closed", []);
      }
      Object.assign(payment, { refundedAmount: amount });
      await tell(PaymentRefundedSchema, name);
      return payment;
    },
    listPayments({ parent }) {
      return create(ListPaymentsResponseSchema, {
        payments: [...payments.values()].filter(({ name }) => orderOf(name) === parent),
      });
    },
    async settlePayment({ name, keepLateMoney }, context) {
      calls.push(`settle ${name}${keepLateMoney ? " keeping late money" : ""}`);
      const { tenant } = principalOf(context);
      const payment = payments.get(name) ?? { ...create(PaymentSchema, { name }), tenant };
      payments.set(name, payment);
      const captured = payment.capturedAmount;
      const isOpen = captured === undefined && payment.state !== Payment_State.VOIDED;
      if (keepLateMoney && control.paysWhenSettled && captured === undefined) {
        Object.assign(payment, { state: Payment_State.CAPTURED, capturedAmount: payment.amount });
        await tell(PaymentCapturedSchema, name);
      } else if (captured !== undefined && control.refusesRefunds) {
        const refund = create(RefundSchema, { id: "1", amount: captured, failureMessage: "the account is closed" });
        payment.settling = true;
        const { tenant: _, ...snapshot } = payment;
        await publish(
          RefundFailedSchema,
          create(RefundFailedSchema, { payment: snapshot, refund }),
          tenant,
          orderOf(name),
        );
        throw failedPrecondition("REFUND_FAILED", "the account is closed", []);
      } else if (captured !== undefined && payment.refundedAmount === undefined) {
        Object.assign(payment, { refundedAmount: captured, settling: true });
        await tell(PaymentRefundedSchema, name);
      } else if (isOpen) {
        Object.assign(payment, { state: Payment_State.VOIDED, settling: !keepLateMoney });
      }
      return payment;
    },
  };
  return {
    payments,
    calls,
    /** `paysWhenSettled`: the money arrives at the very moment the payment is settled, and is kept. */
    control,
    /** Opens a payment of the tenant `t1`, as an earlier call would have. */
    async opened(name: string, cents: number) {
      const opened = create(PaymentSchema, { name, state: Payment_State.REQUIRES_ACTION, amount: eur(cents) });
      payments.set(name, { ...opened, tenant: "t1" });
    },
    async authorize(name: string, cents: number) {
      change(name, { state: Payment_State.AUTHORIZED, authorizedAmount: eur(cents), capturableAmount: eur(cents) });
      return tell(PaymentAuthorizedSchema, name);
    },
    async capture(name: string, cents: number) {
      change(name, { state: Payment_State.CAPTURED, capturedAmount: eur(cents), capturableAmount: eur(0) });
      return tell(PaymentCapturedSchema, name);
    },
    async void(name: string) {
      change(name, { state: Payment_State.VOIDED, capturableAmount: eur(0) });
      return tell(PaymentVoidedSchema, name);
    },
    /** Refunds part of the money. */
    async refund(name: string, cents: number) {
      const { tenant, ...payment } = change(name, { refundedAmount: eur(cents) });
      const refund = create(RefundSchema, { id: "r1", amount: eur(cents) });
      const event = create(PaymentRefundedSchema, { payment, refund });
      return publish(PaymentRefundedSchema, event, tenant, orderOf(name));
    },
    async mismatch(name: string, message: string) {
      change(name, { mismatchMessage: message });
      return tell(PaymentMismatchedSchema, name);
    },
    async fail(name: string) {
      change(name, { state: Payment_State.FAILED, failureMessage: "card declined" });
      return tell(PaymentFailedSchema, name);
    },
    spec: createServiceImplSpec(PaymentService, impl),
  };
}
