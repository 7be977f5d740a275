import type { PaymentProvider } from "./providers/payment-provider.ts";
import { createSandboxProvider, type SandboxProviderOptions } from "./providers/sandbox/sandbox-provider.ts";

/** Settings of the providers, by name. Only those of the configured providers are read. */
export interface ProviderSettings {
  readonly sandbox: SandboxProviderOptions;
}

/** All payment providers by name. */
export const providers: Readonly<Record<keyof ProviderSettings, (settings: ProviderSettings) => PaymentProvider>> = {
  sandbox: ({ sandbox }) => createSandboxProvider(sandbox),
};
