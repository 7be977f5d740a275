import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clone, type DescFile, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  file_google_protobuf_timestamp,
} from "@bufbuild/protobuf/wkt";
import { file_buf_validate_validate } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { expect, test } from "@jest/globals";
import { printProto2 } from "./proto-text.ts";

async function compile(path: string, text: string): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), "proto-text-"));
  try {
    await mkdir(join(folder, path, ".."), { recursive: true });
    await writeFile(join(folder, path), text);
    const output = join(folder, "image.binpb");
    const buf = spawnSync("buf", ["build", folder, "--exclude-source-info", "--as-file-descriptor-set", "-o", output]);
    expect(buf.stderr.toString()).toBe("");
    const { file } = fromBinary(FileDescriptorSetSchema, await readFile(output));
    const compiled = file.find((candidate) => candidate.name === path);
    if (compiled === undefined) {
      throw new Error(`${path} was not compiled`);
    }
    return canonical(compiled);
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

test("validate.proto, printed and compiled again, is the descriptor that protovalidate was built with", async () => {
  const text = printProto2(file_buf_validate_validate);
  const compiled = await compile("buf/validate/validate.proto", text);
  expect(compiled).toEqual(canonical(file_buf_validate_validate.proto));
});

test("a file that is not proto2 is refused", () => {
  expect(() => printProto2(file_google_protobuf_timestamp)).toThrow("only proto2 can be printed, not proto3");
});
