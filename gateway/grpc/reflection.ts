import { type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, createServiceImplSpec, type ServiceImplSpec } from "@connectrpc/connect";
import { type ServerReflectionRequest, ServerReflection as V1 } from "../../gen/grpc/reflection/v1/reflection_pb.js";
import {
  ServerReflection as V1Alpha,
  type ServerReflectionRequest as V1AlphaRequest,
} from "../../gen/grpc/reflection/v1alpha/reflection_pb.js";

/** The requests and responses of both versions, which differ only in their names. */
type Question = ServerReflectionRequest["messageRequest"] | V1AlphaRequest["messageRequest"];
type Answer =
  | { case: "listServicesResponse"; value: { service: { name: string }[] } }
  | { case: "fileDescriptorResponse"; value: { fileDescriptorProto: Uint8Array[] } }
  | { case: "allExtensionNumbersResponse"; value: { baseTypeName: string; extensionNumber: number[] } }
  | { case: "errorResponse"; value: { errorCode: number; errorMessage: string } };

/**
 * `grpc.reflection.v1.ServerReflection` and the otherwise identical v1alpha, over the descriptors of these services and
 * of all their imports, options included.
 */
export function createReflectionServices(services: readonly DescService[]): ServiceImplSpec[] {
  const index = indexOf(services);
  return [
    createServiceImplSpec<typeof V1>(V1, {
      async *serverReflectionInfo(requests) {
        for await (const originalRequest of requests) {
          const messageResponse = answer(index, originalRequest.messageRequest);
          yield { validHost: originalRequest.host, originalRequest, messageResponse };
        }
      },
    }),
    createServiceImplSpec<typeof V1Alpha>(V1Alpha, {
      async *serverReflectionInfo(requests) {
        for await (const originalRequest of requests) {
          const messageResponse = answer(index, originalRequest.messageRequest);
          yield { validHost: originalRequest.host, originalRequest, messageResponse };
        }
      },
    }),
  ];
}

interface Index {
  readonly services: readonly string[];
  readonly files: ReadonlyMap<string, DescFile>;
  /** The file of each message, enum, extension, service and method, by full name. */
  readonly symbols: ReadonlyMap<string, DescFile>;
  /** Keyed by extended message and field number. */
  readonly extensions: ReadonlyMap<string, ReadonlyMap<number, DescFile>>;
}

function indexOf(services: readonly DescService[]): Index {
  const files = new Map<string, DescFile>();
  const symbols = new Map<string, DescFile>();
  const extensions = new Map<string, Map<number, DescFile>>();

  const visit = (file: DescFile) => {
    if (files.has(file.proto.name)) {
      return;
    }
    files.set(file.proto.name, file);
    file.dependencies.forEach(visit);
    for (const type of nestedTypes(file)) {
      symbols.set(type.typeName, file);
      if (type.kind === "service") {
        for (const method of type.methods) {
          symbols.set(`${type.typeName}.${method.name}`, file);
        }
      }
      if (type.kind === "extension") {
        const numbers = extensions.get(type.extendee.typeName) ?? new Map<number, DescFile>();
        extensions.set(type.extendee.typeName, numbers.set(type.number, file));
      }
    }
  };
  for (const { file } of services) {
    visit(file);
  }
  return { services: services.map(({ typeName }) => typeName), files, symbols, extensions };
}

function answer(index: Index, request: Question): Answer {
  switch (request.case) {
    case "listServices":
      return {
        case: "listServicesResponse",
        value: { service: index.services.map((name) => ({ name })) },
      };
    case "fileByFilename":
      return fileResponse(index.files.get(request.value), request.value);
    case "fileContainingSymbol":
      return fileResponse(fileOfSymbol(index, request.value), request.value);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = request.value;
      const file = index.extensions.get(containingType)?.get(extensionNumber);
      return fileResponse(file, `extension ${extensionNumber} of ${containingType}`);
    }
    case "allExtensionNumbersOfType": {
      const numbers = index.extensions.get(request.value);
      if (numbers === undefined && !index.symbols.has(request.value)) {
        return refusal(Code.NotFound, `${request.value} not found`);
      }
      return {
        case: "allExtensionNumbersResponse",
        value: { baseTypeName: request.value, extensionNumber: [...(numbers?.keys() ?? [])] },
      };
    }
    case undefined:
      return refusal(Code.InvalidArgument, "the request has no message_request");
    default:
      return request satisfies never;
  }
}

/** Fields and enum values are not indexed: they are in the file of their message or enum. */
function fileOfSymbol({ symbols }: Index, symbol: string): DescFile | undefined {
  return symbols.get(symbol) ?? symbols.get(symbol.slice(0, Math.max(0, symbol.lastIndexOf("."))));
}

/** The file and all its imports, so that a client need not request them separately. */
function fileResponse(file: DescFile | undefined, wanted: string): Answer {
  if (file === undefined) {
    return refusal(Code.NotFound, `${wanted} not found`);
  }
  const all = new Set<DescFile>();
  const add = (one: DescFile) => {
    if (!all.has(one)) {
      all.add(one);
      one.dependencies.forEach(add);
    }
  };
  add(file);
  return {
    case: "fileDescriptorResponse",
    value: { fileDescriptorProto: [...all].map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto)) },
  };
}

function refusal(errorCode: Code, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
