/** Limits of reading secrets. */

/** A secret is a password or a token; a larger file or field is the wrong one. */
export const secretBytesMax = 64 * 1024;
/** How long a value read from Vault is used before it is read again, unless it is refused earlier. */
export const vaultRefreshMs = 300_000;
