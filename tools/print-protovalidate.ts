import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { file_buf_validate_validate } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { printProto2 } from "./proto-text.ts";

/** Prints buf/validate/validate.proto where buf.yaml looks for it: the npm package carries it as a descriptor only. */

const path = ".cache/protovalidate/buf/validate/validate.proto";
const text = printProto2(file_buf_validate_validate);

if ((await readFile(path, "utf8").catch(() => "")) !== text) {
  await mkdir(dirname(path), { recursive: true });
  // Renamed into place, so that a buf that runs at this moment never reads half a file.
  await writeFile(`${path}.${process.pid}`, text);
  await rename(`${path}.${process.pid}`, path);
}
