/** Builds what `npm pack` ships into `dist/`: the compiled SDK, and the generated code that it imports. */
import { execFileSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const here = import.meta.dirname;
const dist = join(here, "dist");
const typescript = dirname(createRequire(import.meta.url).resolve("typescript/package.json"));

rmSync(dist, { recursive: true, force: true });
execFileSync(process.execPath, [join(typescript, "bin", "tsc"), "-p", join(here, "tsconfig.build.json")], {
  stdio: "inherit",
});
for (const part of ["docket", "google"]) {
  cpSync(join(here, "../../gen", part), join(dist, "gen", part), { recursive: true });
}
