/** `ccx simulate`: uploads archives of made-up clusters to an ingress. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { parseInteger } from '../../platform/config/parse-value.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import { PROVISIONAL_FINDINGS, SIMULATED_FINDINGS } from './simulate-cluster.ts';
import { type FleetOptions, type FleetUpload, simulateFleet } from './simulate-fleet.ts';

/** Clusters of one `ccx simulate`. */
export const clustersMax = 1_000_000;
/** Uploads at a time of one `ccx simulate`. */
export const parallelUploadsMax = 1_000;

interface SimulateFlags extends Pick<FleetOptions, 'url' | 'clusters' | 'seed' | 'size' | 'parallel'> {
  readonly findings?: string;
  readonly clusterVersion?: string;
  readonly org: string;
  readonly account: string;
}

export function register(program: Command, input: ProcessInput): void {
  program
    .command('simulate')
    .description('uploads archives of made-up clusters to an ingress')
    .option('--url <address>', 'where ingress takes uploads', 'http://127.0.0.1:3000/api/ingress/v1/upload')
    .option('--clusters <number>', 'how many clusters upload, once each', wholeNumber(1, clustersMax), 1)
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
    .addHelpText('after', helpText)
    .action(async ({ findings, clusterVersion, org, account, ...flags }: SimulateFlags) => {
      const token = input.env['CCX_SIMULATE_TOKEN'] || undefined;
      const refused = await simulateFleet(
        {
          ...flags,
          findings: findings === undefined ? undefined : findingsOf(findings),
          version: clusterVersion,
          ...(token === undefined ? { owner: { orgId: org, account } } : { token }),
        },
        createSystemClock(),
        (upload) => process.stdout.write(`${lineOf(upload)}\n`),
      );
      if (refused > 0) process.exitCode = 1;
    });
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

Findings:
${SIMULATED_FINDINGS.map((key) => `  ${key}${PROVISIONAL_FINDINGS.has(key) ? '  (where provisional rules run)' : ''}`).join('\n')}
`;
}
