import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
} from "../../../gen/google/rpc/error_details_pb.js";

/** What a call was refused with, in a form to compare. Throws where it was not refused. */
export async function refusal(call: Promise<unknown>) {
  const error = await call.then(
    () => {
      throw new Error("the call was not refused");
    },
    (reason: unknown) => ConnectError.from(reason),
  );
  const [info] = error.findDetails(ErrorInfoSchema);
  const fields = error.findDetails(BadRequestSchema).flatMap((it) => it.fieldViolations);
  const preconditions = error.findDetails(PreconditionFailureSchema).flatMap((it) => it.violations);
  return {
    code: Code[error.code],
    reason: info?.reason,
    metadata: info?.metadata ?? {},
    violations: [
      ...fields.map(({ field, description }) => `${field}: ${description}`),
      ...preconditions.map(({ type, subject, description }) => `${type} ${subject}: ${description}`),
    ],
  };
}
