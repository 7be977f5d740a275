import { create } from "@bufbuild/protobuf";
import { createServiceImplSpec, type ServiceImpl, type ServiceImplSpec } from "@connectrpc/connect";
import {
  AdminService,
  ListDeadLettersResponseSchema,
  ListSagasResponseSchema,
} from "../../../gen/docket/admin/v1/admin_service_pb.js";
import { invalidArgument, unavailable } from "../errors.ts";
import { deadLetterNotFound } from "./dead-letter-message.ts";
import { sagaNotFound } from "./saga-message.ts";
import type { ServiceAdmin } from "./service-admin.ts";

/**
 * The RPCs of AdminService for the services of this process, by name. One without sagas or dead letters answers as if it
 * had none yet.
 *
 * RPCs throw UNAVAILABLE, reason SERVICE_NOT_SERVED, for a service of another process.
 */
export function adminRoutes(services: ReadonlyMap<string, ServiceAdmin>): ServiceImplSpec {
  const adminOf = (service: string): ServiceAdmin => {
    const admin = services.get(service);
    if (admin === undefined) {
      throw unavailable("SERVICE_NOT_SERVED", `the service ${service} is not served by this process`);
    }
    return admin;
  };
  const sagasOf = (service: string, name: string) => adminOf(service).sagas ?? absent(sagaNotFound(name));
  const lettersOf = (service: string, name: string) => adminOf(service).deadLetters ?? absent(deadLetterNotFound(name));

  return createServiceImplSpec<typeof AdminService>(AdminService, {
    listSagas: async (request, context) =>
      create(ListSagasResponseSchema, await adminOf(request.service).sagas?.list(request, context)),
    getSaga: (request) => sagasOf(request.service, request.name).get(request),
    commandSaga: (request, context) => {
      const { service, name, command, operator = absent(operatorRequired()) } = request;
      return sagasOf(service, name).command(request, command, operator, context);
    },
    listDeadLetters: async (request, context) =>
      create(ListDeadLettersResponseSchema, await adminOf(request.service).deadLetters?.list(request, context)),
    getDeadLetter: (request) => lettersOf(request.service, request.name).get(request),
    replayDeadLetter: (request, context) => {
      const { service, name, operator = absent(operatorRequired()) } = request;
      return lettersOf(service, name).replay(request, operator, context);
    },
  } satisfies ServiceImpl<typeof AdminService>);
}

function operatorRequired() {
  return invalidArgument([{ field: "operator", description: "is required" }]);
}

function absent(error: Error): never {
  throw error;
}
