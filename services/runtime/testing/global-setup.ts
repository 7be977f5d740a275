import { INSTALL_HINT, startMariadb } from "./mariadb.ts";

/**
 * Runs once per jest run, before the first suite that may use a database. Suites find MariaDB through
 * `DOCKET_TEST_MYSQL_URL`, which is either preset or names a private server started here, which stops with the run.
 */
export default async function globalSetup(): Promise<void> {
  if (process.env["DOCKET_TEST_MYSQL_URL"]) {
    return;
  }
  const server = await startMariadb();
  if (server) {
    process.env["DOCKET_TEST_MYSQL_URL"] = server.url;
  } else {
    process.stderr.write(`${INSTALL_HINT}\n`);
  }
}
