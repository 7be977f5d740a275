/** Explains why Docket could not start, and what to do. Unknown errors are shown with their stack. */
export function explainStartFailure(error: unknown): string {
  const { code, port, address, path, message, stack } = error as Partial<Record<string, unknown>>;
  switch (code) {
    case "EADDRINUSE":
      return `port ${port} of ${address} is in use: stop the process that listens there, or set DOCKET_HTTP_PORT, DOCKET_GRPC_PORT or DOCKET_OPS_PORT`;
    case "EADDRNOTAVAIL":
      return `the address ${address} is not one of this machine: set DOCKET_HOST or DOCKET_OPS_HOST`;
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return `${path ?? `port ${port}`} cannot be used (${message}): set DOCKET_DATA_DIR or the port to one that can be used`;
    case "ENOTDIR":
    case "EEXIST":
      return `${path} is not a folder: set DOCKET_DATA_DIR`;
    case "ECONNREFUSED":
    case "ENOTFOUND":
    case "ETIMEDOUT":
      return `the database is not responding (${message}): check DOCKET_DATABASE_URL`;
    case "ER_ACCESS_DENIED_ERROR":
    case "ER_DBACCESS_DENIED_ERROR":
      return `the database refuses the user (${message}): check DOCKET_DATABASE_URL and the user's rights to create schemas`;
    default:
      return String(stack ?? error);
  }
}
