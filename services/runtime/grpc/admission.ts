import type { DescMethod } from "@bufbuild/protobuf";
import { ConnectError, createContextValues } from "@connectrpc/connect";
import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status,
} from "@grpc/grpc-js";
import { canceledByCaller, untilAborted } from "../../../gateway/call/abort.ts";
import { beginCall, type Call } from "../../../gateway/call/call-context.ts";
import { clientAddressOf, type Forwarding } from "../../../gateway/http/client-address.ts";
import { clientAddressKey, wireKey } from "../context-values.ts";
import type { Admit } from "../interceptors/admission.ts";
import { toOutward } from "../interceptors/error-mapping.ts";
import type { Logger } from "../telemetry/log.ts";
import { type DecompressionBudget, limitExpansion } from "./expansion.ts";
import { headersOf } from "./metadata.ts";
import { statusOf } from "./status.ts";

/** Information about a call from grpc-js. */
type WireCall = Pick<ServerInterceptingCallInterface, "getDeadline" | "getPeer">;

/** Begins calls, and keeps those that begin before their handler runs. */
export interface GrpcCalls {
  /** Returns the call with this metadata, beginning it if necessary. */
  of(metadata: Metadata, wire: WireCall, method: DescMethod): Call;
}

/**
 * Creates the calls of one server.
 * @param forwarding How to determine the client address behind proxies.
 */
export function createGrpcCalls(forwarding: Forwarding): GrpcCalls {
  const calls = new WeakMap<Metadata, Call>();
  return {
    of(metadata, wire, method) {
      let call = calls.get(metadata);
      if (call === undefined) {
        call = begin(method, metadata, wire, forwarding);
        calls.set(metadata, call);
      }
      return call;
    },
  };
}

function begin(method: DescMethod, metadata: Metadata, wire: WireCall, forwarding: Forwarding): Call {
  const deadline = wire.getDeadline();
  const at = deadline instanceof Date ? deadline.getTime() : deadline;
  const clientAddress = (): string => {
    const peer = wire.getPeer();
    const forwarded = metadata.get(forwarding.header).join(",");
    return clientAddressOf(peer.slice(0, peer.lastIndexOf(":")), forwarded, forwarding);
  };
  return beginCall(method, {
    protocolName: "grpc",
    url: `grpc:/${method.parent.typeName}/${method.name}`,
    requestHeader: () => headersOf(metadata),
    // One millisecond early, because at the deadline grpc-js sends a status of its own, without details.
    timeoutMs: at === Number.POSITIVE_INFINITY ? undefined : at - Date.now() - 1,
    values: () => createContextValues().set(wireKey, "grpc").set(clientAddressKey, clientAddress()),
  });
}

export interface GrpcAdmissionOptions {
  /** Undefined if all calls are admitted. */
  readonly admit: Admit | undefined;
  readonly calls: GrpcCalls;
  /** By path. Calls to other methods are not checked. */
  readonly methods: ReadonlyMap<string, DescMethod>;
  readonly log: Logger;
  /** Most bytes of a decompressed message. */
  readonly maxMessageBytes: number;
  readonly decompressionBudget: DecompressionBudget | undefined;
}

/**
 * Limits the decompressed size of messages, and runs admission before a call's messages are read: grpc-js reads,
 * decompresses and decodes nothing until the metadata have been passed on. Context values set on admission are visible
 * to the handler.
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
              call = calls.of(metadata, wire, method);
              const admitted = admit(call);
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
