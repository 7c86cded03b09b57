/** `ccx roles`: which roles run where, in which version, which are not seen any more, and what they say of themselves. */
import type { Command } from 'commander';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import { connectDatabase } from '../../platform/database/connect-database.ts';
import { addDatabaseLocation, locateDatabase } from '../../platform/database/database-location.ts';
import { readRoles } from '../../platform/records/role-record.ts';
import { type ListedRole, listRoles, troublesOf, versionsOf } from './list-roles.ts';

export function register(program: Command, input: ProcessInput): void {
  const command = program
    .command('roles')
    .description('roles that run on a database: alive or stale, version, whether they can do their work');
  addDatabaseLocation(command)
    .option('--all', 'those of the last 7 days that were stopped or replaced, too')
    .option('--json', 'one JSON object per line, with settings (secrets masked), lag, pauses, quarantine, warnings')
    .action(async (options: { all?: boolean; json?: boolean }) => {
      const database = connectDatabase({ url: await locateDatabase(command, input), applicationName: 'ccx roles' });
      try {
        const listed = listRoles(await readRoles(database), { all: options.all === true });
        for (const role of listed) print(options.json === true ? JSON.stringify(role) : lineOf(role));
        if (options.json === true) return;
        if (listed.length === 0) print('no role has been seen on this database');
        const versions = versionsOf(listed);
        if (versions.length > 1) {
          print('versions differ:');
          for (const { version, roles } of versions) print(`  ${version}  ${roles.join(', ')}`);
        }
      } finally {
        await database.close();
      }
    });
}

function lineOf(listed: ListedRole): string {
  const { role, life, version, host, pid, startedAt, unseenSeconds, state } = listed;
  const ready = life !== 'alive' ? '' : state['ready'] === true ? '  ready' : '  not ready';
  const seen = `seen ${Math.round(unseenSeconds)} s ago`;
  const line = `${role.padEnd(13)}  ${life.padEnd(8)}  ${version}  ${host}/${pid}  since ${startedAt.slice(0, 19)}Z  ${seen}${ready}`;
  return [line, ...troublesOf(listed).map((trouble) => `  ${trouble}`)].join('\n');
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
