import type { HostConfig } from "./config.ts";

/**
 * Base URL at which payment and logistics call the sandbox: the configured one, else this process's own HTTP port, else
 * the external URL. With TLS the external URL is preferred, because the certificate names it.
 */
export function sandboxUrlOf(
  { sandboxUrl, publicUrl, tlsCertFile }: Pick<HostConfig, "sandboxUrl" | "publicUrl" | "tlsCertFile">,
  httpUrl: string,
): string {
  const own = httpUrl === "" || (tlsCertFile !== undefined && publicUrl !== undefined) ? undefined : httpUrl;
  return sandboxUrl ?? own ?? publicUrl ?? httpUrl;
}
