/**
 * `ccx db init|migrate|status|grants|cleanup`: what an administrator of the database does, so that the roles need no right to create
 * anything: tables brought up and moved, rights handed out, old rows deleted. Each says what it does, and most say it first with --dry-run.
 */
import type { Command } from 'commander';
import { createSystemClock } from '../../platform/clock/clock.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import { registerCleanup } from './cleanup-command.ts';
import { createDatabaseTool, examples } from './database-tool.ts';
import { registerGrants } from './grants.ts';
import { registerInit, registerMigrate, registerStatus } from './schema-commands.ts';

export function register(program: Command, input: ProcessInput): void {
  const tool = createDatabaseTool(input, createSystemClock());
  const group = program
    .command('db')
    .description('the tables in the database: init, migrate, status, grants, cleanup')
    .addHelpText(
      'after',
      `${examples('ccx db init', 'ccx db grants --role ccx --apply', 'ccx db status', 'ccx db cleanup --older-than 90d --dry-run')}

Exit codes: 0 done, or nothing to do; 1 failed, with a code in brackets; 2 something must be done (status);
130 interrupted (cleanup).`,
    );
  registerInit(group, tool);
  registerMigrate(group, tool);
  registerStatus(group, tool);
  registerGrants(group, tool);
  registerCleanup(group, tool);
}
