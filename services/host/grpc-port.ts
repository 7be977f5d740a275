import type { Certificate } from "../../gateway/http/listener/certificate.ts";
import type { Live } from "../runtime/config/live.ts";
import type { GrpcServer } from "../runtime/grpc/server.ts";
import type { Logger } from "../runtime/telemetry/log.ts";
import type { Composition } from "./compose.ts";
import type { HostConfig } from "./config.ts";
import { forwardingOf } from "./http-handler.ts";

/** Creates the native gRPC server, with health and reflection. grpc-js is loaded only here and for remote services. */
export async function createGrpcPort(options: {
  readonly config: HostConfig;
  readonly log: Logger;
  readonly composition: Composition;
  readonly reflection: Live<boolean>;
  readonly certificate: Certificate | undefined;
}): Promise<GrpcServer> {
  const { config, log, composition, reflection, certificate } = options;
  const { createGrpcServer } = await import("../runtime/grpc/server.ts");
  return createGrpcServer({
    specs: [...composition.specs, ...composition.internalSpecs],
    admit: composition.admit,
    interceptors: composition.interceptors,
    log,
    certificate,
    maxRequestBytes: config.maxBodyBytes,
    reflection,
    maxRequestElements: config.maxRequestElements,
    decompressionBudget: composition.decodeBudget,
    limits: composition.limits,
    meter: composition.meter,
    forwarding: forwardingOf(config),
    maxConnectionAgeMs: config.grpcConnectionAgeMs,
  });
}
