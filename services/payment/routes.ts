import { createServiceImplSpec, type ServiceImpl, type ServiceImplSpec } from "@connectrpc/connect";
import { PaymentService } from "../../gen/docket/payment/v1/payment_service_pb.js";
import type { PaymentContext } from "./context.ts";
import { anonymizePayments } from "./rpc/anonymize-payments.ts";
import { capturePayment } from "./rpc/capture-payment.ts";
import { getPayment } from "./rpc/get-payment.ts";
import { getPaymentCallback } from "./rpc/get-payment-callback.ts";
import { listPaymentCallbacks } from "./rpc/list-payment-callbacks.ts";
import { listPayments } from "./rpc/list-payments.ts";
import { openPayment } from "./rpc/open-payment.ts";
import { receivePaymentCallback } from "./rpc/receive-payment-callback.ts";
import { refundPayment } from "./rpc/refund-payment.ts";
import { replayPaymentCallback } from "./rpc/replay-payment-callback.ts";
import { settlePayment } from "./rpc/settle-payment.ts";
import { voidPayment } from "./rpc/void-payment.ts";

/** The RPCs of the payment service. */
export const routes = (ctx: PaymentContext): ServiceImplSpec[] => [
  createServiceImplSpec<typeof PaymentService>(PaymentService, {
    getPayment: getPayment(ctx),
    listPayments: listPayments(ctx),
    openPayment: openPayment(ctx),
    settlePayment: settlePayment(ctx),
    anonymizePayments: anonymizePayments(ctx),
    capturePayment: capturePayment(ctx),
    voidPayment: voidPayment(ctx),
    refundPayment: refundPayment(ctx),
    receivePaymentCallback: receivePaymentCallback(ctx),
    listPaymentCallbacks: listPaymentCallbacks(ctx),
    getPaymentCallback: getPaymentCallback(ctx),
    replayPaymentCallback: replayPaymentCallback(ctx),
  } satisfies ServiceImpl<typeof PaymentService>),
];
