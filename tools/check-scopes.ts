import { glob } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { type DescMethod, type DescService, getOption, hasOption } from "@bufbuild/protobuf";
import { access } from "../gen/docket/options/v1/options_pb.js";

/** Fails, and names the methods, unless every method of Docket's services says in the contract who may call it. */

function complaint(method: DescMethod): string | undefined {
  if (!hasOption(method, access)) {
    return "has no option (docket.options.v1.access)";
  }
  const { scopes, open, internal } = getOption(method, access);
  const ways = [scopes.length > 0, open, internal].filter(Boolean).length;
  return ways === 1 ? undefined : "must set exactly one of scopes, open, internal in (docket.options.v1.access)";
}

async function services(): Promise<DescService[]> {
  const found: DescService[] = [];
  for await (const file of glob("gen/docket/**/*_pb.js")) {
    const exports: Record<string, { kind?: string }> = await import(pathToFileURL(file).href);
    found.push(...Object.values(exports).filter((value): value is DescService => value.kind === "service"));
  }
  return found;
}

const methods = (await services()).flatMap((service) => service.methods);
const failures = methods.flatMap((method) => complaint(method)?.replace(/^/, `${method} `) ?? []);
for (const failure of failures) {
  console.error(failure);
}
console.log(`${methods.length} methods, ${failures.length} without a proper access option`);
process.exitCode = failures.length > 0 || methods.length === 0 ? 1 : 0;
