/** `ccx db init|grants`: what an administrator of the database does, so that the roles need no right to create anything. */
import type { Command } from 'commander';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import { grantStatements, initialiseDatabase } from '../../platform/database/administration.ts';
import { connectDatabase } from '../../platform/database/connect-database.ts';
import { addDatabaseLocation, locateDatabase } from '../../platform/database/database-location.ts';

const userDefault = 'ccx';

export function register(program: Command, input: ProcessInput): void {
  const group = program.command('db').description('the tables in the database: init, grants');
  addDatabaseLocation(
    group
      .command('init')
      .description(
        'brings all tables up, the shared ones and our own, as a user who may create them; again after an upgrade',
      ),
  ).action(async (_options: unknown, command: Command) => {
    const database = connectDatabase({ url: await locateDatabase(command, input), applicationName: 'ccx db' });
    try {
      const { notification, sets } = await initialiseDatabase(database);
      print(
        `notification schema: version ${notification.version}${notification.from === notification.version ? '' : `, from ${notification.from}`}`,
      );
      for (const { set, version, applied } of sets)
        print(`schema ccx, ${set}: version ${version}${applied.length === 0 ? '' : `, applied ${applied.join(', ')}`}`);
      for (const warning of [notification, ...sets].flatMap((part) => part.warning ?? []))
        process.stderr.write(`ccx: ${warning}\n`);
    } finally {
      await database.close();
    }
  });

  group
    .command('grants')
    .description('prints the SQL that gives a user what the roles need, for after ccx db init')
    .option('--to <user>', 'user of the database that the roles log in as', userDefault)
    .option('--bus <kind>', 'postgres: the topics are in this database, too')
    .action(({ to, bus }: { readonly to: string; readonly bus?: string }) => {
      for (const statement of grantStatements(to, { embeddedBus: bus === 'postgres' })) print(statement);
    });
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
