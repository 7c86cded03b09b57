/** `ccx all-in-one`: the whole flow in one process, until a signal, or with `--once` until the given archives have gone through. */
import type { Command } from 'commander';
import { type Clock, createSystemClock } from '../platform/clock/clock.ts';
import { addTableOptions, loadCommandConfig } from '../platform/config/command-flags.ts';
import type { ProcessInput } from '../platform/config/process-input.ts';
import { readVersion } from '../platform/config/version.ts';
import { Lifecycle } from '../platform/lifecycle/lifecycle.ts';
import { describeFailure, waitForSignal } from '../platform/lifecycle/run-role.ts';
import { simulateCluster } from '../tools/cluster-simulator/simulate-cluster.ts';
import { describeInstallation, narrate } from './banner.ts';
import { allInOneOptions, allInOneSettings } from './config.ts';
import { describeRoles, rolesOfFile } from './role-settings.ts';
import { runOnce } from './run-once.ts';
import { collectRunSummary } from './run-summary.ts';
import { type AllInOne, startAllInOne } from './start-all-in-one.ts';
import { uploadBytes } from './upload-files.ts';

/** Of the demonstration: a few of different rules and risks, so that both targets have something to say. */
const demonstrationFindings = ['CONTROL_PLANE_NODE_REPLICAS', 'OPERATOR_UNMANAGED', 'MCP_SET_TO_PAUSE'];
const demonstrationMsMax = 60_000;

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
    .option('--demo', 'on its first start, send a generated archive through')
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
    const print = (line: string) => void (flags.json === true ? process.stderr : process.stdout).write(`${line}\n`);
    const summary = collectRunSummary(clock, (event) => {
      const line = narrate(event);
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
        await serve(installation, { flags, clock, print, signalled });
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
  },
): Promise<void> {
  const { flags, clock, print, signalled } = context;
  const work = async () => {
    if (flags.demo === true && installation.folder.isNew()) await runDemonstration(installation, { clock, print });
    if (flags.upload !== undefined)
      print('--upload takes effect with --once; for a running installation use the curl line above');
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

/** The newcomer's first sight: a generated archive goes through the real flow, and what its owners would read is printed. */
async function runDemonstration(
  installation: AllInOne,
  { clock, print }: { readonly clock: Clock; readonly print: (line: string) => void },
): Promise<void> {
  const cluster = simulateCluster({ seed: 'demonstration', now: clock.now(), findings: demonstrationFindings });
  print(`First start: uploading a generated archive of a made-up cluster (${cluster.clusterId}).`);
  const upload = await uploadBytes(cluster.archive, installation, cluster.gatheredAt);
  if (!upload.accepted) {
    print(`The generated archive was not taken: ${upload.reason}`);
    return;
  }
  const arrived = await installation.waitUntilIdle(demonstrationMsMax);
  installation.folder.markUsed();
  const { backend, serviceLog } = installation.standIns;
  const mail = backend?.notifications().at(-1)?.mail;
  const entries = serviceLog?.entries().length ?? 0;
  if (mail !== undefined)
    print(`\nA notification arrived. Its owners would read:\n\n${indent(`${mail.subject}\n\n${mail.text}`)}`);
  if (entries > 0) print(`Service Log has ${entries} ${entries === 1 ? 'entry' : 'entries'} about it.`);
  if (!arrived) print('Not everything has arrived yet; it goes on. ccx trace and ccx dead-letters list tell more.');
  const where = `--data ${installation.folder.root}`;
  print(
    `\nLook closer:\n  src/bin/ccx explain ${cluster.clusterId} ${where}\n  src/bin/ccx trace ${upload.requestId} ${where}\n`,
  );
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '    ');
}
