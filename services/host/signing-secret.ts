import { hkdfSync } from "node:crypto";

/**
 * Derives the signing secret for one purpose from the installation's secret by HKDF (RFC 5869), in the form of Standard
 * Webhooks (`whsec_` and base64 of 32 bytes). Signatures for one purpose do not verify for another.
 */
export function signingSecretFor(purpose: string, installationSecret: string): string {
  return `whsec_${derive(purpose, installationSecret).toString("base64")}`;
}

/** Derives the key with which payment and logistics authenticate at the sandbox. */
export function sandboxApiKeyFor(installationSecret: string): string {
  return `sbx_key_${derive("sandbox API key", installationSecret).toString("base64url")}`;
}

function derive(purpose: string, installationSecret: string): Buffer {
  return Buffer.from(hkdfSync("sha256", installationSecret, "", `docket ${purpose}`, 32));
}
