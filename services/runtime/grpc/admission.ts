import type { DescMethod } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status,
} from "@grpc/grpc-js";
import { clientAddressOf, type Forwarding } from "../../../gateway/http/client-address.ts";
import { canceledByCaller, untilAborted } from "../call/abort.ts";
import { beginCall, type Call } from "../call/call-context.ts";
import { DirectContext } from "../call/direct-context.ts";
import type { Admit } from "../interceptors/admission.ts";
import { toOutward } from "../interceptors/error-mapping.ts";
import type { Logger } from "../telemetry/log.ts";
import { type DecompressionBudget, limitExpansion } from "./expansion.ts";
import { headersOf } from "./metadata.ts";
import { statusOf } from "./status.ts";

/** What a call of grpc-js says of itself. */
type WireCall = Pick<ServerInterceptingCallInterface, "getDeadline" | "getPeer">;

/** Begins calls, and keeps those that were begun before their handler is called. */
export interface GrpcCalls {
  /** The call with this metadata, begun by now. */
  of(metadata: Metadata, wire: WireCall): Call;
}

/** Makes the calls of one server. @param forwarding how the address of a client behind proxies is found. */
export function createGrpcCalls(forwarding: Forwarding): GrpcCalls {
  const calls = new WeakMap<Metadata, Call>();
  return {
    of(metadata, wire) {
      let call = calls.get(metadata);
      if (call === undefined) {
        call = begin(metadata, wire, forwarding);
        calls.set(metadata, call);
      }
      return call;
    },
  };
}

function begin(metadata: Metadata, wire: WireCall, forwarding: Forwarding): Call {
  const deadline = wire.getDeadline();
  const at = deadline instanceof Date ? deadline.getTime() : deadline;
  return beginCall({
    wire: "grpc",
    header: () => headersOf(metadata),
    // A millisecond early: at the deadline itself grpc-js gives a status of its own, which has no details.
    timeoutMs: at === Number.POSITIVE_INFINITY ? undefined : at - Date.now() - 1,
    clientAddress: () => {
      const peer = wire.getPeer();
      const forwarded = metadata.get(forwarding.header).join(",");
      return clientAddressOf(peer.slice(0, peer.lastIndexOf(":")), forwarded, forwarding);
    },
  });
}

export interface GrpcAdmissionOptions {
  /** Undefined where every call may go on. */
  readonly admit: Admit | undefined;
  readonly calls: GrpcCalls;
  /** By path; calls to other methods pass. */
  readonly methods: ReadonlyMap<string, DescMethod>;
  readonly log: Logger;
  /** What a message may have decompressed. */
  readonly maxMessageBytes: number;
  readonly decompressionBudget: DecompressionBudget | undefined;
}

/**
 * Limits what messages decompress to, and puts the admission of a call before the reading of its messages: grpc-js reads, decompresses and decodes nothing until
 * the metadata have been passed on. What the call's context values get is seen by its handler.
 */
export function createGrpcAdmission(options: GrpcAdmissionOptions): ServerInterceptor {
  const { admit, calls, methods, log, maxMessageBytes, decompressionBudget } = options;
  return ({ path }, wire) => {
    limitExpansion(wire, maxMessageBytes, decompressionBudget);
    const method = methods.get(path);
    if (method === undefined || admit === undefined) {
      return new ServerInterceptingCall(wire);
    }
    let call: Call | undefined;
    const refuse = (error: unknown): void => {
      try {
        wire.sendStatus(call === undefined ? internalStatus : statusFor(error, call));
      } catch (unwritable) {
        log.error({ err: unwritable, rpc: path }, "the refusal of an rpc could not be written");
        wire.sendStatus(internalStatus);
      }
      call?.finish();
    };
    return new ServerInterceptingCall(wire, {
      start(next) {
        next({
          onReceiveMetadata(metadata, pass) {
            try {
              call = calls.of(metadata, wire);
              const admitted = admit(new DirectContext(method, `grpc:${path}`, call));
              if (admitted === undefined) {
                pass(metadata);
              } else {
                untilAborted(admitted, call.signal).then(() => pass(metadata), refuse);
              }
            } catch (error) {
              refuse(error);
            }
          },
          onCancel() {
            if (call?.hasEnded === false) {
              call.abort(canceledByCaller());
            }
          },
        });
      },
    });
  };
}

const internalStatus = { code: status.INTERNAL, details: "internal error" };

function statusFor(error: unknown, call: Call) {
  const outward =
    error instanceof ConnectError ? error : toOutward(error, { signal: call.signal, contextValues: call.values });
  return statusOf(outward, call.responseTrailer);
}
