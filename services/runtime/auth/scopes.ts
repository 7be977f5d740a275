/** The scope that implies every other one within the caller's tenant. */
export const adminScope = "admin";

/**
 * The scope to create, list and revoke keys of other tenants. No method requires it, `admin` does not imply it, and no
 * API key can be granted it: only the configured key has it, and JWTs if the configuration allows.
 */
export const platformAdminScope = "platform.admin";
