import { create } from "@bufbuild/protobuf";
import type { HandlerContext, Interceptor, UnaryRequest } from "@connectrpc/connect";
import { context } from "@opentelemetry/api";
import { headerContext } from "../../../gateway/telemetry/rpc-span.ts";
import { createAuthorize } from "../auth/access.ts";
import { createReporting, type InterceptorOptions } from "./interceptors.ts";

/** Properties of a call known before its body is read. */
export type AdmittedCall = Pick<
  HandlerContext,
  "service" | "method" | "requestMethod" | "url" | "requestHeader" | "signal" | "values"
>;

/**
 * Admits or rejects a call before its body is read. Returns undefined if the decision is synchronous.
 *
 * @throws ConnectError that ends the call, synchronously or not.
 */
export type Admit = (call: AdmittedCall) => Promise<void> | undefined;

type AnyFn = ReturnType<Interceptor>;

/**
 * Authenticates the caller and checks the method's declared access, as the interceptors do, which then find the
 * principal in the context values. Rejections get a request id, a log line and metrics like any failed call.
 */
export function createAdmission(options: InterceptorOptions): Admit {
  const authorize = createAuthorize(options.authenticate);
  const reporting = createReporting(options);

  const refuse = async (call: AdmittedCall, reason: unknown): Promise<never> => {
    const innermost: AnyFn = () => Promise.reject(reason);
    const report = reporting.reduceRight<AnyFn>((next, interceptor) => interceptor(next), innermost);
    await report({
      stream: false,
      service: call.service,
      method: call.method,
      requestMethod: call.requestMethod,
      url: call.url,
      header: call.requestHeader,
      signal: call.signal,
      contextValues: call.values,
      message: create(call.method.input),
    } as UnaryRequest);
    throw reason;
  };

  return (call) => {
    const { method, requestHeader: header, values, signal } = call;
    try {
      const decided = context.with(headerContext(header), () => authorize({ method, header, values, signal }));
      return decided?.catch((error: unknown) => refuse(call, error));
    } catch (error) {
      return refuse(call, error);
    }
  };
}
