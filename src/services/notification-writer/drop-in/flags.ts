/** The command line of the reference's writer: its flags, and which operation runs when several are given. Source: notification-writer.md 1.2, 1.3. */
import { type GoFlagTable, type GoFlagValues, oldRecordFlags } from '../../../platform/reference/go-flags.ts';

export const writerFlags = {
  authors: { type: 'bool', usage: 'show authors' },
  'check-kafka': { type: 'bool', usage: 'check connection to Kafka' },
  'db-cleanup': { type: 'bool', usage: 'perform database cleanup' },
  'db-drop-tables': { type: 'bool', usage: 'drop all tables from database' },
  'db-init': { type: 'bool', usage: 'perform database initialization' },
  'db-init-migration': { type: 'bool', usage: 'initialize migration' },
  migrate: { type: 'string', usage: 'set database version' },
  'migration-info': { type: 'bool', usage: 'prints migration info' },
  ...oldRecordFlags,
  'print-read-errors-for-cleanup': { type: 'bool', usage: 'print records from read_errors table to be cleaned up' },
  'read-errors-cleanup': { type: 'bool', usage: 'perform clean up of read_errors table' },
  'show-configuration': { type: 'bool', usage: 'show configuration' },
  'truncate-old-reports': { type: 'bool', usage: 'truncate the reported table' },
  version: { type: 'bool', usage: 'show version' },
} as const satisfies GoFlagTable;

export type WriterFlags = GoFlagValues<typeof writerFlags>;

/** The first one that was given runs, and only that. */
const precedence = [
  'version',
  'authors',
  'show-configuration',
  'check-kafka',
  'db-init',
  'db-cleanup',
  'db-drop-tables',
  'db-init-migration',
  'print-new-reports-for-cleanup',
  'new-reports-cleanup',
  'print-old-reports-for-cleanup',
  'old-reports-cleanup',
  'print-read-errors-for-cleanup',
  'read-errors-cleanup',
  'migration-info',
  'migrate',
  'truncate-old-reports',
] as const;

export type WriterOperation = (typeof precedence)[number] | 'service';

export const maxAgeDefault = '7 days';

export function chooseOperation(flags: WriterFlags): WriterOperation {
  return (
    precedence.find((name) => flags[name] === true || (name === 'migrate' && (flags.migrate ?? '') !== '')) ?? 'service'
  );
}
