/** Exit codes: of `ccx notifier` and the drop-in program by failure (source: notification-service.md 2.6), and of `ccx notifications`. */
import { errorCode } from '../../encoding/ccx-error.ts';

/** The reference's exit codes, as far as something of ours stands behind them; unknown is never 0. */
export function notifierExitCode(error: unknown): number {
  const code = errorCode(error);
  // An interval is the database's to judge, there as here.
  if (/^(DATABASE|CCX_MIGRATION|SCHEMA)_/.test(code) || code === 'COOLDOWN_INVALID') return 3;
  if (code.startsWith('CONTENT_')) return 4;
  if (code.startsWith('BUS_')) return 5;
  if (code === 'EVENT_FILTER_INVALID') return 10;
  // The first number behind the reference's, which ends with 0 here.
  if (code === 'NOTHING_DELIVERED') return 13;
  if (/^(TOKEN|SECRET|VAULT)_/.test(code)) return 11;
  return code === 'DISABLED_RULES_UNAVAILABLE' ? 12 : 1;
}

/** Of the drop-in program around a run. */
export const dropInExitCodes = { configuration: 1, storage: 3, cleaner: 8 } as const;

/** Of `ccx notifications`, beside 0 and the 1 of wrong use and of a database that fails. */
export const notificationsExitCodes = { notPossible: 2, notConfirmed: 3, findings: 4, notComplete: 5 } as const;
