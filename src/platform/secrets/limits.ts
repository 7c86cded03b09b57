/** Limits of reading secrets. */

/** A secret is a password or a token; a larger file or field is the wrong one. */
export const secretBytesMax = 64 * 1024;
/** One call to Vault: it answers from memory, and a start must fail fast. */
export const vaultCallMsMax = 5_000;
/** Answers hold a handful of fields of at most `secretBytesMax`. */
export const vaultAnswerBytesMax = 1024 * 1024;
/** Calls per request while Vault is sealed, on standby or catching up; then the last good value has to do. */
export const vaultTriesMax = 3;
/** Pause before the second try; doubles. */
export const vaultRetryMs = 200;
/** How long a value read from Vault is used before it is read again, unless it is refused earlier. */
export const vaultRefreshMs = 300_000;
/** How long the last good value is used without asking after Vault failed, so that an outage does not slow every caller down. */
export const vaultOutageMs = 30_000;
/** The share of a token's life after which it is renewed: a third is left to try again. */
export const vaultRenewAtShare = 2 / 3;
/** Pause after a failed renewal and login. */
export const vaultRenewRetryMs = 5_000;
/** A lease shorter than this is renewed no more often than this. */
export const vaultRenewMsMin = 1_000;
/** Longest pause between two renewals; a longer sleep would overflow the timer (2^31 ms), and a token may live 32 days. */
export const vaultRenewMsMax = 24 * 3_600_000;
/** Below this share of the first lease a renewal was clipped by the token's maximum life: a new login is due. */
export const vaultClippedShare = 1 / 3;
