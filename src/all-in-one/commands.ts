/** `ccx all-in-one`: the whole flow in one process, until a signal, or with `--once` until the given archives have gone through. */
import type { Command } from 'commander';
import { isSimulatedCluster } from '../contracts/identifiers.ts';
import { type Clock, createSystemClock } from '../platform/clock/clock.ts';
import { addTableOptions, loadCommandConfig } from '../platform/config/command-flags.ts';
import type { ProcessInput } from '../platform/config/process-input.ts';
import { readVersion } from '../platform/config/version.ts';
import { Lifecycle } from '../platform/lifecycle/lifecycle.ts';
import { describeFailure, waitForSignal } from '../platform/lifecycle/run-role.ts';
import { openLogOutput } from '../platform/telemetry/log-output.ts';
import type { BusinessEvent } from '../platform/telemetry/telemetry.ts';
import { describeInstallation, narrate } from './banner.ts';
import { allInOneOptions, allInOneSettings } from './config.ts';
import { DEMONSTRATED_CLUSTERS, runDemonstration } from './demonstration.ts';
import { describeRoles, rolesOfFile } from './role-settings.ts';
import { runOnce } from './run-once.ts';
import { collectRunSummary } from './run-summary.ts';
import { type AllInOne, startAllInOne } from './start-all-in-one.ts';

interface Flags {
  readonly demo?: boolean;
  readonly once?: boolean;
  readonly json?: boolean;
  readonly upload?: readonly string[];
  readonly originalIsGone?: boolean;
}

export function register(program: Command, input: ProcessInput): void {
  const command = program
    .command('all-in-one')
    .description('everything in one process on an embedded PostgreSQL: archives in, notifications out')
    .option('--demo', `on its first start, send archives of ${DEMONSTRATED_CLUSTERS} simulated clusters through`)
    .option('--no-demo', 'none of them (npm start -- --no-demo)')
    .option('--once', 'stop when the archives of --upload have gone through; exit code 1 unless each reached its end')
    .option('--upload <file>', 'an archive to upload as an operator would; may be repeated', collect)
    .option('--json', 'with --once: the summary as one JSON object on standard output')
    .option('--original-is-gone', 'once, of a copy: the original does not run and will not start again');
  addTableOptions(command, allInOneOptions).action(async (flags: Flags) => {
    const version = readVersion();
    const loaded = loadCommandConfig(command, allInOneOptions, input, {
      shared: {
        sections: rolesOfFile,
        describe: ({ config, file }) => describeRoles(allInOneSettings(config, file), input.env, version),
      },
    });
    const settings = allInOneSettings(loaded.config, loaded.file, loaded.secretFiles);
    const clock = createSystemClock();
    const lifecycle = new Lifecycle(clock);
    const signalled = waitForSignal();
    // With --json standard output belongs to the summary alone.
    const output = openLogOutput(flags.json === true ? process.stderr : process.stdout);
    const print = (line: string) => void output.write(`${line}\n`);
    output.onLost((lines) => print(`nobody read this output for a while: ${lines} lines of it were lost`));
    let isQuiet = false;
    const summary = collectRunSummary(clock, (event) => {
      const line = isQuiet && !isAboutRealCluster(event) ? undefined : narrate(event);
      if (line !== undefined) print(`${clock.now().toISOString().slice(11, 19)}  ${line}`);
    });
    lifecycle.defer('summary', () => summary.close());
    try {
      for (const warning of loaded.warnings) print(`warning: ${warning}`);
      const installation = await startAllInOne(settings, {
        ...{ clock, lifecycle, env: input.env, log: process.stderr, progress: print, version },
        originalIsGone: flags.originalIsGone === true,
      });
      if (flags.once === true) {
        process.exitCode = await runOnce(installation, {
          ...{ clock, summary, signalled, print },
          files: flags.upload ?? [],
          json: flags.json === true,
          idleMsMax: settings.idleMsMax,
        });
      } else {
        print(describeInstallation(installation));
        await serve(installation, {
          ...{ flags, clock, print, signalled },
          beQuiet: (wanted) => {
            isQuiet = wanted;
          },
        });
        print('stopping');
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
    readonly clock: Clock;
    readonly print: (line: string) => void;
    readonly signalled: Promise<unknown>;
    readonly beQuiet: (isQuiet: boolean) => void;
  },
): Promise<void> {
  const { flags, clock, print, signalled, beQuiet } = context;
  const stopping = new AbortController();
  void signalled.then(() => stopping.abort());
  const work = async () => {
    if (flags.demo === true && installation.folder.isNew())
      await runDemonstration(installation, { clock, print, beQuiet, signal: stopping.signal });
    if (flags.upload !== undefined)
      print('--upload takes effect with --once; for a running installation use the curl line above');
  };
  // A database that dies is not mended from here; whoever supervises the process starts it again.
  const failed = installation.databaseGone.then(() =>
    Promise.reject(new Error('PostgreSQL ended; its log is in the data folder')),
  );
  await Promise.race([signalled, failed, work().then(() => signalled)]);
}

/** What happened to an archive before it was opened names no cluster. */
function isAboutRealCluster({ fields }: BusinessEvent): boolean {
  const { cluster } = fields;
  return typeof cluster === 'string' && !isSimulatedCluster(cluster);
}

function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}
