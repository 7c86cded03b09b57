/** `ccx simulate`: uploads archives of made-up clusters to an ingress, once or as a fleet that lives on, and removes that again. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { SIMULATED_CLUSTER_PREFIX } from '../../contracts/identifiers.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { parseInteger } from '../../platform/config/parse-value.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import { connectDatabase } from '../../platform/database/connect-database.ts';
import { addDatabaseLocation, locateDatabase } from '../../platform/database/database-location.ts';
import { waitForSignal } from '../../platform/lifecycle/run-role.ts';
import { removeSimulatedClusters } from '../../platform/records/simulated-clusters.ts';
import { PROVISIONAL_FINDINGS, SIMULATED_FINDINGS } from './simulate-cluster.ts';
import { type FleetOptions, type FleetUpload, simulateFleet, simulateLivingFleet } from './simulate-fleet.ts';

/** Clusters of one `ccx simulate`. */
export const clustersMax = 1_000_000;
/** Uploads at a time of one `ccx simulate`. */
export const parallelUploadsMax = 1_000;
/** Uploads in a second: more than one process makes. */
export const rateMax = 10_000;
/** A year in a quarter of an hour is seen as noise only. */
export const speedMax = 36_500;

interface SimulateFlags extends Pick<FleetOptions, 'url' | 'clusters' | 'seed' | 'size' | 'parallel'> {
  readonly findings?: string;
  readonly clusterVersion?: string;
  readonly org: string;
  readonly account: string;
  readonly fleet?: boolean;
  readonly rate: number;
  readonly speed: number;
  readonly uploads?: number;
  readonly remove?: boolean;
}

export function register(program: Command, input: ProcessInput): void {
  const command = program
    .command('simulate')
    .description('uploads archives of made-up clusters to an ingress')
    .option('--url <address>', 'where ingress takes uploads', 'http://127.0.0.1:3000/api/ingress/v1/upload')
    .option('--clusters <number>', 'how many clusters upload, once each or as a fleet', wholeNumber(1, clustersMax), 1)
    .option(
      '--seed <number>',
      'the same seed makes the same clusters',
      wholeNumber(0, Number.MAX_SAFE_INTEGER - clustersMax),
      1,
    )
    .option(
      '--findings <keys>',
      'error keys that each cluster has, separated by commas, or "none" (default: up to three by chance)',
    )
    .option('--cluster-version <version>', 'OpenShift version of the clusters (default: a supported one)')
    .addOption(
      new Option('--size <size>', 'of each archive: about 4 or about 90 kB packed')
        .choices(['small', 'typical'])
        .default('small'),
    )
    .option('--parallel <number>', 'uploads at a time', wholeNumber(1, parallelUploadsMax), 4)
    .option('--org <id>', 'organization that the clusters belong to', '1')
    .option('--account <number>', 'account that the clusters belong to', '1')
    .addOption(
      new Option(
        '--fleet',
        'simulated clusters that age, break, heal and upgrade, and upload in turn until Ctrl-C',
      ).conflicts(['findings', 'clusterVersion', 'remove']),
    )
    .option('--rate <number>', 'with --fleet: uploads of all clusters together in a second', positiveNumber(rateMax), 1)
    .option('--speed <number>', 'with --fleet: so many days of their lives pass in a day', positiveNumber(speedMax), 1)
    .option('--uploads <number>', 'with --fleet: end after so many turns', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('--remove', 'instead: removes everything about simulated clusters from the database');
  addDatabaseLocation(command)
    .addHelpText('after', helpText)
    .action(async (flags: SimulateFlags) => {
      if (flags.remove === true) return await remove(command, input);
      const refused = await upload(flags, input);
      if (refused > 0) process.exitCode = 1;
    });
}

async function upload(
  { findings, clusterVersion: version, org, account, fleet, rate, speed, uploads, ...flags }: SimulateFlags,
  input: ProcessInput,
): Promise<number> {
  const token = input.env['CCX_SIMULATE_TOKEN'] || undefined;
  const options = { ...flags, ...(token === undefined ? { owner: { orgId: org, account } } : { token }) };
  const clock = createSystemClock();
  const print = (done: FleetUpload) => void process.stdout.write(`${lineOf(done)}\n`);
  if (fleet !== true)
    return await simulateFleet(
      { ...options, version, findings: findings === undefined ? undefined : findingsOf(findings) },
      clock,
      print,
    );
  const stopping = new AbortController();
  void waitForSignal().then(() => stopping.abort());
  return await simulateLivingFleet({ ...options, rate, speed, uploads }, { clock, signal: stopping.signal }, print);
}

async function remove(command: Command, input: ProcessInput): Promise<void> {
  const database = connectDatabase({ url: await locateDatabase(command, input), applicationName: 'ccx simulate' });
  try {
    await database.check();
    const removed = await removeSimulatedClusters(database);
    for (const [table, rows] of removed) process.stdout.write(`${table}: ${rows} ${rows === 1 ? 'row' : 'rows'}\n`);
    if (removed.size === 0) process.stdout.write('nothing is there of simulated clusters\n');
  } finally {
    await database.close();
  }
}

function positiveNumber(max: number): (text: string) => number {
  return (text) => {
    const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (!(value > 0 && value <= max)) throw new InvalidArgumentError(`It must be a number above 0, at most ${max}.`);
    return value;
  };
}

function findingsOf(text: string): string[] {
  return text === 'none' ? [] : text.split(',').filter((key) => key !== '');
}

function lineOf({ clusterId, findings, elapsedMs, status, requestId, error }: FleetUpload): string {
  const found = findings.length === 0 ? 'nothing' : findings.join(',');
  const outcome = [status ?? 'no answer', requestId ?? '-', `${elapsedMs} ms`, ...(error === undefined ? [] : [error])];
  return `${clusterId} ${found} → ${outcome.join(' ')}`;
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = text === '' ? undefined : parseInteger(text);
    if (value === undefined || value < min || value > max) {
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    }
    return value;
  };
}

function helpText(): string {
  return `
Prints one line per upload: cluster, findings, status, request id, duration. Exit code 1 when an upload was not accepted.
With CCX_SIMULATE_TOKEN in the environment the clusters send that bearer token, as operators do; else the identity header of --org and --account.

The same seed is the same cluster: one that had --findings KEY is healed by --findings none.

With --fleet the ids of the clusters begin with ${SIMULATED_CLUSTER_PREFIX}: nobody but a stand-in of ccx all-in-one is ever notified about
them, and there they go as soon as a real cluster reports. --remove takes everything about them out of a database (--database, --data);
stop what uploads them first. Archives in the object store go by their age.

Examples:
  ccx simulate --clusters 3
  ccx simulate --fleet --clusters 500 --rate 10 --speed 100
  ccx simulate --remove --data ./data

Findings:
${SIMULATED_FINDINGS.map((key) => `  ${key}${PROVISIONAL_FINDINGS.has(key) ? '  (where provisional rules run)' : ''}`).join('\n')}
`;
}
