import {
  create,
  createFileRegistry,
  type DescMethod,
  fromBinary,
  getOption,
  hasOption,
  type Registry,
  toBinary,
} from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Client, credentials } from "@grpc/grpc-js";
import { access } from "../../../gen/docket/options/v1/options_pb.js";
import {
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from "../../../gen/grpc/reflection/v1/reflection_pb.js";

type Question = NonNullable<ServerReflectionRequest["messageRequest"]>;

/** The API of a gRPC server, by its own reflection service. */
export interface ServedApi {
  readonly methods: readonly DescMethod[];
  /** The descriptor set of its services with all imports. */
  readonly descriptorSet: Uint8Array;
}

/** Lists every method that the gRPC server at `address` serves, by its own reflection service. */
export async function servedMethods(address: string): Promise<readonly DescMethod[]> {
  return (await servedApi(address)).methods;
}

/** Reads the served API from a gRPC server. */
export async function servedApi(address: string): Promise<ServedApi> {
  const client = new Client(address, credentials.createInsecure());
  try {
    const names = await serviceNames(client);
    const files = new Map<string, FileDescriptorProto>();
    for (const name of names) {
      for (const file of await filesOf(client, name)) {
        files.set(file.name, file);
      }
    }
    // Imports must precede their users in the set; reflection returns each file with all of its imports.
    const set = create(FileDescriptorSetSchema, { file: inOrderOfImports(files) });
    const registry: Registry = createFileRegistry(set);
    return {
      methods: names.flatMap((name) => registry.getService(name)?.methods ?? []),
      descriptorSet: toBinary(FileDescriptorSetSchema, set),
    };
  } finally {
    client.close();
  }
}

/** The declared access rule of a method: `open`, `internal`, scopes separated by bars, or `undeclared`. */
export function declaredAccess(method: DescMethod): string {
  if (!hasOption(method, access)) {
    return "undeclared";
  }
  const { open, internal, scopes } = getOption(method, access);
  return [open ? "open" : "", internal ? "internal" : "", ...scopes].filter((word) => word !== "").join(" | ");
}

async function serviceNames(client: Client): Promise<string[]> {
  const { messageResponse } = await ask(client, { case: "listServices", value: "" });
  return messageResponse.case === "listServicesResponse" ? messageResponse.value.service.map(({ name }) => name) : [];
}

async function filesOf(client: Client, symbol: string): Promise<FileDescriptorProto[]> {
  const { messageResponse } = await ask(client, { case: "fileContainingSymbol", value: symbol });
  return messageResponse.case === "fileDescriptorResponse"
    ? messageResponse.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes))
    : [];
}

function ask(client: Client, messageRequest: Question) {
  const call = client.makeBidiStreamRequest(
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    (bytes: Buffer) => bytes,
    (bytes: Buffer) => fromBinary(ServerReflectionResponseSchema, bytes),
  );
  const request = { $typeName: ServerReflectionRequestSchema.typeName, host: "", messageRequest };
  return new Promise<ReturnType<typeof fromBinary<typeof ServerReflectionResponseSchema>>>((resolve, reject) => {
    call.on("data", resolve);
    call.on("error", reject);
    call.end(Buffer.from(toBinary(ServerReflectionRequestSchema, request)));
  });
}

function inOrderOfImports(files: ReadonlyMap<string, FileDescriptorProto>): FileDescriptorProto[] {
  const ordered = new Set<FileDescriptorProto>();
  const add = (file: FileDescriptorProto | undefined) => {
    if (file !== undefined && !ordered.has(file)) {
      for (const name of file.dependency) {
        add(files.get(name));
      }
      ordered.add(file);
    }
  };
  for (const file of files.values()) {
    add(file);
  }
  return [...ordered];
}
