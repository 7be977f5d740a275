/** The scope that stands for every other one within the caller's tenant. */
export const adminScope = "admin";

/**
 * The scope that names tenants: whoever has it creates, lists and revokes the keys of other tenants. No method asks for it,
 * `admin` does not include it, and no key can be given it: the configured key has it, and JWTs where the configuration
 * says so.
 */
export const platformAdminScope = "platform.admin";
