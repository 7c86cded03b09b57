/** The command line of the reference's notification service, and which operation runs when several are given. Source: notification-service.md 2. */
import type { GoFlagTable, GoFlagValues } from '../../../platform/config/go-flags.ts';

export const serviceFlags = {
  'cleanup-on-startup': { type: 'bool', usage: 'delete old reports before the notification run' },
  'ignore-disabled-rules': { type: 'bool', usage: 'do not read disabled rules from the aggregator database' },
  'instant-reports': { type: 'bool', usage: 'decide and send instant notifications' },
  'max-age': { type: 'string', usage: 'age of reports that are printed or deleted' },
  'new-reports-cleanup': { type: 'bool', usage: 'delete old rows of new_reports' },
  'old-reports-cleanup': { type: 'bool', usage: 'delete old rows of reported' },
  'print-new-reports-for-cleanup': { type: 'bool', usage: 'print old rows of new_reports' },
  'print-old-reports-for-cleanup': { type: 'bool', usage: 'print old rows of reported' },
  'show-authors': { type: 'bool', usage: 'show authors' },
  'show-configuration': { type: 'bool', usage: 'show the configuration' },
  'show-version': { type: 'bool', usage: 'show the version' },
  verbose: { type: 'bool', usage: 'log the configuration at the start' },
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
