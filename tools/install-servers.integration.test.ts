import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "@jest/globals";

test("SETUP=no installs nothing, and says which tests are skipped for lack of what", () => {
  // Without a path nothing is found, and nothing can be started: apt-get neither.
  const said = execFileSync("/bin/sh", [join(import.meta.dirname, "install-servers.sh")], {
    encoding: "utf8",
    env: { PATH: "/nowhere", SETUP: "no" },
  });
  expect(said).toContain("SETUP=no: nothing is installed.");
  expect(said).toMatch(/^ {2}podman: the container image$/m);
  expect(said).toMatch(/^ {2}prometheus: the rules and alerts$/m);
  expect(said).toMatch(/^ {2}chromium: tests in a browser$/m);
  expect(said).not.toMatch(/Installing/);
});
