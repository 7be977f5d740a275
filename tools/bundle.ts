import { copyFile, cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { build, type Metafile } from "esbuild";

/**
 * Bundles each program into one file that runs on Node 24 without `node_modules`, with a source map beside it.
 *
 *     node tools/bundle.ts [--out FOLDER]
 *
 * The folder (default `.cache/bundle`) is emptied first. It keeps the layout of the sources, because the programs find
 * their files relative to their own. The same sources and packages give the same bytes, wherever they are built.
 *
 * Whitespace is kept, so that stack traces can be read without the source maps, which cost 60 MiB of memory once Node
 * loads them (`NODE_OPTIONS=--enable-source-maps`).
 */

const root = join(import.meta.dirname, "..");

/** The server, the stand-alone gateway and the command line. */
const programs = ["services/standalone/main.ts", "gateway/main.ts", "web-client/sdk/cli/main.ts"];

/** Files that the programs read at run time: API documents, the version that the command line shows, our licence. */
const files = ["gen/openapi", "web-client/sdk/package.json", "LICENSE"];

/** What the documentation page loads; the package's other builds and their maps are ten times as large. */
const swaggerUi = [
  "package.json",
  "swagger-ui.css",
  "swagger-ui-bundle.js",
  "swagger-ui-standalone-preset.js",
  "favicon-32x32.png",
];

/** CommonJS packages inside an ES module call `require` for Node's own modules. */
const banner =
  'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';

/** Bundles every program into `out` and returns esbuild's account of what went into them. */
async function bundlePrograms(out: string): Promise<Metafile> {
  const { metafile, outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: programs,
    // Source maps name sources relative to where the output would be among them, so that they do not depend on `out`.
    outdir: root,
    outbase: root,
    write: false,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    banner: { js: banner },
    sourcemap: true,
    sourcesContent: false,
    legalComments: "none",
    metafile: true,
    logLevel: "warning",
  });
  for (const { path, contents } of outputFiles) {
    const target = join(out, relative(root, path));
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, contents);
  }
  return metafile;
}

/** The folders of the npm packages that have code in the bundles, sorted. */
function packagesOf(metafile: Metafile): string[] {
  const inputs = Object.values(metafile.outputs).flatMap((output) => Object.entries(output.inputs));
  const used = inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  const folders = used.flatMap(([path]) => {
    const [folder] = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? [];
    return folder === undefined ? [] : [folder];
  });
  return [...new Set(folders)].sort();
}

/** The names, versions and licence texts of the packages, as their licences require of copies. */
async function licencesOf(folders: readonly string[]): Promise<string> {
  const sections = folders.map(async (folder) => {
    const { name, version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    const names = (await readdir(folder)).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file)).sort();
    const texts = await Promise.all(names.map((file) => readFile(join(folder, file), "utf8")));
    return [`${name} ${version}: ${license}`, ...texts.map((text) => text.trim())].join("\n\n");
  });
  return `${(await Promise.all(sections)).join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
}

const { values } = parseArgs({ options: { out: { type: "string", default: ".cache/bundle" } } });
const out = resolve(values.out);
process.chdir(root);

await rm(out, { recursive: true, force: true });
const metafile = await bundlePrograms(out);
for (const file of files) {
  await mkdir(join(out, dirname(file)), { recursive: true });
  await cp(file, join(out, file), { recursive: true });
}
const page = "node_modules/swagger-ui-dist";
await mkdir(join(out, page), { recursive: true });
await Promise.all(swaggerUi.map((name) => copyFile(join(page, name), join(out, page, name))));
await writeFile(join(out, "licences.txt"), await licencesOf([...packagesOf(metafile), page].sort()));

for (const [file, { bytes }] of Object.entries(metafile.outputs).filter(([path]) => path.endsWith(".mjs"))) {
  console.log(`${file}: ${(bytes / 1e6).toFixed(1)} MB`);
}
