import { copyFile, cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { build, type Metafile, type Plugin } from "esbuild";
import { selfContained } from "./bundled-packages.ts";

/**
 * Bundles each program, and each thread that one starts, into one file that runs on Node 24 without `node_modules`, with
 * a source map beside it.
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
const programs = ["services/main.ts", "gateway/main.ts", "web-client/sdk/cli/main.ts"];

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

/** A file that a program starts as a thread, by its address beside the source that names it. */
const threadFile = /new URL\("(\.{1,2}\/[^"]+\.ts)", import\.meta\.url\)/g;

/**
 * Names the bundles of threads in place of their sources, from the folder of all bundles: in one file, addresses beside
 * a source lead elsewhere. Adds the sources to `found`.
 */
function bundledThreads(found: Set<string>): Plugin {
  return {
    name: "threads",
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const text = await readFile(path, "utf8");
        const contents = text.replace(threadFile, (_, address: string) => {
          const source = relative(root, resolve(dirname(path), address));
          found.add(source);
          return `new URL("${source.replace(/ts$/, "mjs")}", __bundles)`;
        });
        return contents === text ? undefined : { contents, loader: "ts" };
      });
    },
  };
}

/** Bundles a program into `out` and returns esbuild's account of what went into it. */
async function bundleProgram(program: string, out: string, threads: Set<string>): Promise<Metafile> {
  const bundles = `${relative(dirname(program), ".")}/`;
  const { metafile, outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [program],
    // Source maps name sources relative to where the output would be among them, so that they do not depend on `out`.
    outdir: root,
    outbase: root,
    write: false,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    banner: {
      // CommonJS packages inside an ES module call `require` for Node's own modules.
      js: [
        'import { createRequire as __createRequire } from "node:module";',
        "const require = __createRequire(import.meta.url);",
        `const __bundles = new URL("${bundles}", import.meta.url);`,
      ].join(" "),
    },
    alias: selfContained,
    plugins: [bundledThreads(threads)],
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
function packagesOf(outputs: Metafile["outputs"]): string[] {
  const inputs = Object.values(outputs).flatMap((output) => Object.entries(output.inputs));
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
    const entries = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isFile());
    const names = entries
      .map((entry) => entry.name)
      .filter((file) => /^(licen[cs]e|notice|copying)/i.test(file))
      .sort();
    const texts = await Promise.all(names.map((file) => readFile(join(folder, file), "utf8")));
    return [`${name} ${version}: ${license}`, ...texts.map((text) => text.trim())].join("\n\n");
  });
  return `${(await Promise.all(sections)).join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
}

const { values } = parseArgs({ options: { out: { type: "string", default: ".cache/bundle" } } });
const out = resolve(values.out);
process.chdir(root);

await rm(out, { recursive: true, force: true });
const entries = new Set(programs);
const outputs: Metafile["outputs"] = {};
// Threads are found while the programs that start them are bundled; a set hands out what is added on the way.
for (const entry of entries) {
  Object.assign(outputs, (await bundleProgram(entry, out, entries)).outputs);
}
for (const file of files) {
  await mkdir(join(out, dirname(file)), { recursive: true });
  await cp(file, join(out, file), { recursive: true });
}
const page = "node_modules/swagger-ui-dist";
await mkdir(join(out, page), { recursive: true });
await Promise.all(swaggerUi.map((name) => copyFile(join(page, name), join(out, page, name))));
await writeFile(join(out, "licences.txt"), await licencesOf([...packagesOf(outputs), page].sort()));

for (const [file, { bytes }] of Object.entries(outputs).filter(([path]) => path.endsWith(".mjs"))) {
  console.log(`${file}: ${(bytes / 1e6).toFixed(1)} MB`);
}
