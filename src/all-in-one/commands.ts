/** `ccx all-in-one`: the whole flow in one process, until a signal, or with `--once` until the given archives have gone through. */
import type { Command } from 'commander';
import { createSystemClock } from '../platform/clock/clock.ts';
import { addTableOptions, loadCommandConfig } from '../platform/config/command-flags.ts';
import type { ProcessInput } from '../platform/config/process-input.ts';
import { readVersion } from '../platform/config/version.ts';
import { Lifecycle } from '../platform/lifecycle/lifecycle.ts';
import { describeFailure, waitForSignal } from '../platform/lifecycle/run-role.ts';
import { describeInstallation, narrate } from './banner.ts';
import { allInOneOptions, allInOneSettings } from './config.ts';
import { runDemonstration } from './demonstration.ts';
import { rolesOfFile } from './role-settings.ts';
import { runOnce } from './run-once.ts';
import { collectRunSummary } from './run-summary.ts';
import { type AllInOne, startAllInOne } from './start-all-in-one.ts';

interface Flags {
  readonly demo?: boolean;
  readonly once?: boolean;
  readonly json?: boolean;
  readonly upload?: readonly string[];
}

export function registerAllInOneCommands(program: Command, input: ProcessInput): void {
  const command = program
    .command('all-in-one')
    .description('everything in one process on an embedded PostgreSQL: archives in, notifications out')
    .option('--demo', 'on its first start, send a generated archive through')
    .option('--once', 'stop when the archives of --upload have gone through; exit code 1 unless each reached its end')
    .option('--upload <file>', 'an archive to upload as an operator would; may be repeated', collect)
    .option('--json', 'with --once: the summary as one JSON object on standard output');
  addTableOptions(command, allInOneOptions).action(async (flags: Flags) => {
    const loaded = loadCommandConfig(command, allInOneOptions, input, rolesOfFile);
    const settings = allInOneSettings(loaded.config, loaded.file);
    const clock = createSystemClock();
    const lifecycle = new Lifecycle(clock);
    const signalled = waitForSignal();
    // With --json standard output belongs to the summary alone.
    const tell = (line: string) => void (flags.json === true ? process.stderr : process.stdout).write(`${line}\n`);
    const summary = collectRunSummary(clock, (event) => {
      const line = narrate(event);
      if (line !== undefined) tell(`${clock.now().toISOString().slice(11, 19)}  ${line}`);
    });
    lifecycle.defer('summary', () => summary.close());
    try {
      for (const warning of loaded.warnings) tell(`warning: ${warning}`);
      const context = { clock, lifecycle, env: input.env, log: process.stderr, progress: tell, version: readVersion() };
      const installation = await startAllInOne(settings, context);
      if (flags.once === true) {
        process.exitCode = await runOnce(installation, {
          ...{ clock, summary, signalled, tell },
          files: flags.upload ?? [],
          json: flags.json === true ? (line) => void process.stdout.write(`${line}\n`) : undefined,
          idleMsMax: settings.idleMsMax,
        });
      } else {
        tell(describeInstallation(installation));
        await serve(installation, { flags, clock, tell, signalled });
        tell('stopping');
      }
    } catch (error) {
      process.stderr.write(`${describeFailure(error)}\n`);
      process.exitCode = 1;
    }
    const report = await lifecycle.stop();
    for (const { name, error } of report.failed) process.stderr.write(`ccx: ${name} did not stop cleanly: ${error}\n`);
    if (report.failed.length > 0) process.exitCode = 1;
  });
}

async function serve(
  installation: AllInOne,
  context: {
    readonly flags: Flags;
    readonly clock: ReturnType<typeof createSystemClock>;
    readonly tell: (line: string) => void;
    readonly signalled: Promise<unknown>;
  },
): Promise<void> {
  const { flags, clock, tell, signalled } = context;
  const work = async () => {
    if (flags.demo === true && installation.folder.isNew()) await runDemonstration(installation, { clock, tell });
    if (flags.upload !== undefined)
      tell('--upload takes effect with --once; for a running installation use the curl line above');
  };
  // A database that dies is not mended from here; whoever supervises the process starts it again.
  const failed = installation.databaseGone.then(() =>
    Promise.reject(new Error('PostgreSQL ended; its log is in the data folder')),
  );
  await Promise.race([signalled, failed, work().then(() => signalled)]);
}

function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}
