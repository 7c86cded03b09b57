/** `ccx audit list`: what people changed, newest first; who, from where, what it was about, before, after and why. */
import type { Command } from 'commander';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import { connectDatabase } from '../../platform/database/connect-database.ts';
import { addDatabaseLocation, locateDatabase } from '../../platform/database/database-location.ts';
import { type AuditRow, readAudit } from '../../platform/records/audit.ts';

/** Rows that are shown at once. */
const listedRowsMax = 10_000;

export function register(program: Command, input: ProcessInput): void {
  const group = program.command('audit').description('what people changed with commands, kept 400 days: list');
  addDatabaseLocation(group.command('list').description('newest first'))
    .option('--since <when>', 'a time (2026-11-21, 2026-11-21T16:00:00Z) or an interval before now ("7 days")')
    .option('--subject <text>', 'only of subjects that hold this text, for example the UUID of a cluster')
    .option('--json', 'one JSON object per line')
    .action(async (options: { since?: string; subject?: string; json?: boolean }, command: Command) => {
      const database = connectDatabase({ url: await locateDatabase(command, input), applicationName: 'ccx audit' });
      try {
        const rows = await readAudit(database, { ...options, rowsMax: listedRowsMax });
        for (const row of rows) print(options.json === true ? jsonOf(row) : lineOf(row));
        if (rows.length === 0 && options.json !== true) print('none');
      } finally {
        await database.close();
      }
    });
}

function lineOf({ at, actor, origin, action, subject, before, after, reason }: AuditRow): string {
  const change = `${before === null ? '-' : JSON.stringify(before)} → ${after === null ? '-' : JSON.stringify(after)}`;
  return `${at}  ${actor} (${origin})  ${action} ${subject}  ${change}${reason === null ? '' : `  ${reason}`}`;
}

function jsonOf(row: AuditRow): string {
  return JSON.stringify({ ...row, id: Number(row.id) });
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
