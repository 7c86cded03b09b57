/** What the commands of `ccx db` have in common: the database they work on, and how they speak. */
import type { Command } from 'commander';
import { TABLE_AUDIT } from '../../contracts/tables.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import { connectDatabase } from '../../platform/database/connect-database.ts';
import type { Connection, Database } from '../../platform/database/database.ts';
import { locateDatabase } from '../../platform/database/database-location.ts';
import { requireTableRights } from '../../platform/database/missing-rights.ts';
import { type AuditEntry, recordAudit } from '../../platform/records/audit.ts';
import { tableIsKept } from '../../platform/records/report-facts.ts';

export interface DatabaseTool {
  readonly clock: Clock;
  /** Opens the database that the command's flags name, and closes it behind the work. */
  readonly withDatabase: (command: Command, work: (database: Database) => Promise<void>) => Promise<void>;
}

export function createDatabaseTool(input: ProcessInput, clock: Clock): DatabaseTool {
  return {
    clock,
    async withDatabase(command, work) {
      const database = connectDatabase({ url: await locateDatabase(command, input), applicationName: 'ccx db' });
      try {
        await database.check();
        await work(database);
      } finally {
        await database.close();
      }
    },
  };
}

/** In the transaction of the change. On a database where nothing of ours has run there is no table for it. Code: `DATABASE_PERMISSION`. */
export async function recordAuditWhereKept(tx: Connection, entry: AuditEntry): Promise<void> {
  await requireTableRights(tx, [TABLE_AUDIT], ['INSERT']);
  if (await tableIsKept(tx, TABLE_AUDIT, 'SELECT')) await recordAudit(tx, entry);
}

/** The command's result. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value));
}

/** What a person wants to know meanwhile, or beside it. */
export function tell(line: string): void {
  process.stderr.write(`ccx: ${line}\n`);
}

/** Below the help of a command. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}
