import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clone, type DescFile, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { file_buf_validate_validate } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { expect, test } from "@jest/globals";

/** Compiles a file of `proto/third_party` to its descriptor. */
async function compile(path: string): Promise<DescFile["proto"]> {
  const folder = await mkdtemp(join(tmpdir(), "vendored-protos-"));
  try {
    const output = join(folder, "image.binpb");
    const source = join(import.meta.dirname, "../proto/third_party");
    const buf = spawnSync("buf", ["build", source, "--exclude-source-info", "--as-file-descriptor-set", "-o", output]);
    expect(buf.stderr.toString()).toBe("");
    const { file } = fromBinary(FileDescriptorSetSchema, await readFile(output));
    const compiled = file.find((candidate) => candidate.name === path);
    if (compiled === undefined) {
      throw new Error(`${path} was not compiled`);
    }
    return compiled;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The bytes of a descriptor without what compilers may or may not write: source positions and derived JSON names. */
function canonical(proto: DescFile["proto"]): Uint8Array {
  const copy = clone(FileDescriptorProtoSchema, proto);
  delete copy.sourceCodeInfo;
  for (const field of [...copy.extension, ...copy.messageType.flatMap((message) => message.field)]) {
    field.jsonName = "";
  }
  return toBinary(FileDescriptorProtoSchema, copy);
}

test("the contract's validation rules are those of the installed protovalidate", async () => {
  const compiled = await compile("buf/validate/validate.proto");
  expect(canonical(compiled)).toEqual(canonical(file_buf_validate_validate.proto));
});
