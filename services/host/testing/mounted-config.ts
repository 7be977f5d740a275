import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A ConfigMap as Kubernetes mounts it: files are links to `..data`, a link to the folder with the current version. */
export interface MountedConfig extends AsyncDisposable {
  /** Path of a mounted file. */
  path(name: string): string;
  /** Replaces all files at once, as the kubelet does, and removes the version before. */
  swap(files: Readonly<Record<string, string>>): Promise<void>;
}

/** Mounts the first version in a temporary folder. Later versions have the same names of files. */
export async function mountConfig(files: Readonly<Record<string, string>>): Promise<MountedConfig> {
  const folder = await mkdtemp(join(tmpdir(), "docket-config-"));
  let version = 0;
  const swap = async (next: Readonly<Record<string, string>>) => {
    const before = version;
    version += 1;
    await mkdir(join(folder, `..${version}`));
    for (const [name, content] of Object.entries(next)) {
      await writeFile(join(folder, `..${version}`, name), content);
    }
    await symlink(`..${version}`, join(folder, "..data_tmp"));
    await rename(join(folder, "..data_tmp"), join(folder, "..data"));
    await rm(join(folder, `..${before}`), { recursive: true, force: true });
  };
  await swap(files);
  for (const name of Object.keys(files)) {
    await symlink(join("..data", name), join(folder, name));
  }
  return {
    path: (name) => join(folder, name),
    swap,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}
