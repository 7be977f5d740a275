import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { promisify } from "node:util";

/**
 * Checks that every package that Docket ships with has a permitted licence, and writes what it ships with:
 * `.cache/sbom/docket.cdx.json` (CycloneDX) and `.cache/sbom/licences.txt`.
 *
 *     node tools/sbom.ts [--check]
 *
 * With `--check` nothing is written.
 */

/** Licences under which code may be shipped with Docket's own, Apache-2.0. */
const permitted = new Set([
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "CC0-1.0",
  "ISC",
  "MIT",
  "Unlicense",
]);

const folder = ".cache/sbom";

interface LockedPackage {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly link?: boolean;
}

/** What `npm sbom` writes, as far as it is looked at. */
interface Bom {
  metadata: { component: { name: string; "bom-ref": string } };
  components: { "bom-ref": string }[];
  dependencies: { ref: string; dependsOn: string[] }[];
}

/** Packages that run in production, by their path in the lock file. */
async function shipped(): Promise<Map<string, LockedPackage>> {
  const lock: { packages: Record<string, LockedPackage> } = JSON.parse(await readFile("package-lock.json", "utf8"));
  return new Map(Object.entries(lock.packages).filter(([path, { dev, link }]) => path !== "" && !dev && !link));
}

/** Whether an SPDX expression permits use: every licence of an AND, one of an OR. */
function isPermitted(expression: string): boolean {
  const text = expression.replaceAll(/[()]/g, " ");
  return text.split(/\sAND\s/).every((part) => part.split(/\sOR\s/).some((licence) => permitted.has(licence.trim())));
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
}

/** `npm sbom --omit dev` leaves out what is needed in development too: the whole list is filtered here. */
async function bomOf(packages: ReadonlyMap<string, LockedPackage>): Promise<Bom> {
  const { stdout } = await promisify(execFile)("npm", ["sbom", "--sbom-format=cyclonedx", "--package-lock-only"], {
    maxBuffer: 64 * 1024 * 1024,
  });
  const bom: Bom = JSON.parse(stdout);
  const named = new Set([...packages].map(([path, { version }]) => `${nameOf(path)}@${version}`));
  const components = bom.components.filter((component) => named.has(component["bom-ref"]));
  if (new Set(components.map((component) => component["bom-ref"])).size !== named.size) {
    throw new Error(`npm sbom names ${components.length} of ${named.size} packages`);
  }
  const refs = new Set([bom.metadata.component["bom-ref"], ...components.map((component) => component["bom-ref"])]);
  const dependencies = bom.dependencies
    .filter(({ ref }) => refs.has(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((each) => refs.has(each)) }));
  // npm names it after the folder.
  bom.metadata.component.name = "docket";
  return { ...bom, components, dependencies };
}

const packages = await shipped();
const refused = [...packages].filter(([, { license }]) => license === undefined || !isPermitted(license));
for (const [path, { license = "no licence" }] of refused) {
  console.error(`${nameOf(path)}: ${license} is not a permitted licence; see tools/sbom.ts`);
}
process.exitCode = refused.length > 0 ? 1 : 0;

if (!process.argv.includes("--check")) {
  await mkdir(folder, { recursive: true });
  const bom = await bomOf(packages);
  await writeFile(`${folder}/docket.cdx.json`, `${JSON.stringify(bom, null, 2)}\n`);
  const lines = [...packages].map(([path, { version, license }]) => `${nameOf(path)} ${version}: ${license}`);
  await writeFile(`${folder}/licences.txt`, `${[...new Set(lines)].sort().join("\n")}\n`);
  console.log(`${packages.size} packages in ${folder}/docket.cdx.json and ${folder}/licences.txt`);
}
