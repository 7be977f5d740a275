import { create } from "@bufbuild/protobuf";
import type { HandlerContext, Interceptor, UnaryRequest } from "@connectrpc/connect";
import { createAuthorize } from "../auth/access.ts";
import { createReporting, type InterceptorOptions } from "./interceptors.ts";

/** What is known of a call before its body is read. */
export type AdmittedCall = Pick<
  HandlerContext,
  "service" | "method" | "requestMethod" | "url" | "requestHeader" | "signal" | "values"
>;

/**
 * Decides whether a call may go on, before a byte of its body is read. Undefined where there is nothing to wait for.
 *
 * @throws ConnectError, at once or later: the call ends with it.
 */
export type Admit = (call: AdmittedCall) => Promise<void> | undefined;

type AnyFn = ReturnType<Interceptor>;

/**
 * Authenticates the caller of each call and checks the method's declared access, as the interceptors do, which then find
 * the principal in the context values. A refusal gets its request id, log line and metrics as any failed call does.
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
      return authorize({ method, header, values, signal })?.catch((error: unknown) => refuse(call, error));
    } catch (error) {
      return refuse(call, error);
    }
  };
}
