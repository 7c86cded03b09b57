/** The command line of the reference's notification service, and which operation runs when several are given. Source: notification-service.md 2. */
import type { GoFlagTable, GoFlagValues } from '../../../platform/reference/go-flags.ts';
import { loggingFlags } from './logging-flags.ts';

export const serviceFlags = {
  'cleanup-on-startup': { type: 'bool', usage: 'perform database clean up on startup' },
  'ignore-disabled-rules': {
    type: 'bool',
    usage: 'skip disabled rules check, process all rules as if none are disabled',
  },
  'instant-reports': { type: 'bool', usage: 'create instant reports' },
  'max-age': { type: 'string', usage: 'max age for displaying/cleaning old records' },
  'new-reports-cleanup': { type: 'bool', usage: 'perform new reports clean up' },
  'old-reports-cleanup': { type: 'bool', usage: 'perform old reports clean up' },
  'print-new-reports-for-cleanup': { type: 'bool', usage: 'print new reports to be cleaned up' },
  'print-old-reports-for-cleanup': { type: 'bool', usage: 'print old reports to be cleaned up' },
  'show-authors': { type: 'bool', usage: 'show authors and exit' },
  'show-configuration': { type: 'bool', usage: 'show configuration and exit' },
  'show-version': { type: 'bool', usage: 'show version and exit' },
  verbose: { type: 'bool', usage: 'verbose logs' },
  ...loggingFlags,
} as const satisfies GoFlagTable;

export type ServiceFlags = GoFlagValues<typeof serviceFlags>;

/** The first one that was given runs, and only that. */
const precedence = [
  'show-version',
  'show-authors',
  'show-configuration',
  'print-new-reports-for-cleanup',
  'new-reports-cleanup',
  'print-old-reports-for-cleanup',
  'old-reports-cleanup',
  'instant-reports',
] as const;

export type ServiceOperation = (typeof precedence)[number];

/** Undefined: none was given, and the other flags alone are not enough. */
export function chooseOperation(flags: ServiceFlags): ServiceOperation | undefined {
  return precedence.find((name) => flags[name] === true);
}
