/** `ccx clusters list|move`: which organization each cluster belongs to, and a person's word that it is another one now. */
import { type Command, InvalidArgumentError } from 'commander';
import { isUuid, parseOrgId } from '../../contracts/identifiers.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import { connectDatabase } from '../../platform/database/connect-database.ts';
import { addDatabaseLocation, locateDatabase } from '../../platform/database/database-location.ts';
import { addAuditOptions, byWhomOf } from '../../platform/records/audit.ts';
import { type ClusterOwner, ClusterOwners, type OwnedCluster } from '../../platform/records/cluster-owners.ts';

/** What `ccx clusters list` shows at most. */
const listedClustersMax = 100_000;

export function registerClustersCommands(program: Command, input: ProcessInput): void {
  const group = program
    .command('clusters')
    .description('which organization a cluster belongs to where uploads come with tokens: list, move');

  addDatabaseLocation(group.command('list').description('clusters that belong to somebody, newest first'))
    .option('--org <number>', 'only those of this organization', orgId)
    .option('--json', 'one JSON object per line')
    .action((options: { org?: number; json?: boolean }, command: Command) =>
      withOwners(command, input, async (owners) => {
        const all = await owners.newest(listedClustersMax);
        const shown = all.filter((owned) => options.org === undefined || owned.orgId === options.org);
        for (const owned of shown) print(options.json === true ? JSON.stringify(owned) : lineOf(owned));
        if (shown.length === 0 && options.json !== true) print('no cluster belongs to anybody yet');
      }),
    );

  addAuditOptions(
    addDatabaseLocation(
      group
        .command('move')
        .description('gives a cluster to an organization: uploads of every other one are refused from then on')
        .argument('<cluster>', 'its UUID', clusterId)
        .argument('<organization>', 'its number', orgId),
    ),
  ).action((cluster: string, to: number, _options: unknown, command: Command) =>
    withOwners(command, input, async (owners) => {
      const before = await owners.move(cluster, to, createSystemClock().nowMicros(), byWhomOf(command));
      print(`${cluster} belongs to organization ${to} now; before: ${describeOwner(before)}`);
    }),
  );
}

async function withOwners(
  command: Command,
  input: ProcessInput,
  work: (owners: ClusterOwners) => Promise<void>,
): Promise<void> {
  const database = connectDatabase({ url: await locateDatabase(command, input), applicationName: 'ccx clusters' });
  try {
    const owners = new ClusterOwners(database);
    await owners.prepare();
    await work(owners);
  } finally {
    await database.close();
  }
}

function clusterId(text: string): string {
  if (!isUuid(text)) throw new InvalidArgumentError('A cluster is named by its UUID.');
  return text.toLowerCase();
}

function orgId(text: string): number {
  const number = parseOrgId(text);
  if (number === undefined) throw new InvalidArgumentError('An organization is named by its number.');
  return number;
}

function describeOwner(owner: ClusterOwner | undefined): string {
  return owner === undefined ? 'nobody' : `organization ${owner.orgId}`;
}

function lineOf({ cluster, orgId: owner, bound, since, tokenSha256 }: OwnedCluster): string {
  const by = tokenSha256 === null ? (bound ? 'by ccx clusters move' : 'by its reports') : `token ${tokenSha256}`;
  return `${cluster}  organization ${owner}  since ${since} UTC  ${by}${bound && tokenSha256 !== null ? ', bound' : ''}`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
