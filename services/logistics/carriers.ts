import type { Carrier } from "./carriers/carrier.ts";
import { createSandboxCarrier, type SandboxCarrierOptions } from "./carriers/sandbox/sandbox-carrier.ts";

/** Settings of the carriers, by name. Only those of the configured carriers are read. */
export interface CarrierSettings {
  readonly sandbox: SandboxCarrierOptions;
}

/** All carriers by name. */
export const carriers: Readonly<Record<keyof CarrierSettings, (settings: CarrierSettings) => Carrier>> = {
  sandbox: ({ sandbox }) => createSandboxCarrier(sandbox),
};
