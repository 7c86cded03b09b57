/** `ccx clusters list|move|name|retire`: which clusters there are, whose they are, and what a person says of one. */
import { type Command, InvalidArgumentError } from 'commander';
import { isSimulatedCluster, isUuid, parseOrgId } from '../../contracts/identifiers.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import { connectDatabase } from '../../platform/database/connect-database.ts';
import type { Database } from '../../platform/database/database.ts';
import { addDatabaseLocation, locateDatabase } from '../../platform/database/database-location.ts';
import { addAuditOptions, byWhomOf } from '../../platform/records/audit.ts';
import { type ClusterOwner, ClusterOwners } from '../../platform/records/cluster-owners.ts';
import { type ListedCluster, listClusters, nameCluster, retireCluster } from '../../platform/records/clusters.ts';

/** What `ccx clusters list` shows at most. */
const listedClustersMax = 100_000;

export function registerClustersCommands(program: Command, input: ProcessInput): void {
  const group = program
    .command('clusters')
    .description('clusters: which there are, whose they are, what they are called: list, move, name, retire');

  addDatabaseLocation(
    group
      .command('list')
      .description('clusters that have reported or belong to somebody, those that reported last first'),
  )
    .option('--org <number>', 'only those of this organization', orgId)
    .option('--json', 'one JSON object per line')
    .action((options: { org?: number; json?: boolean }, command: Command) =>
      withDatabase(command, input, async (database) => {
        const shown = await listClusters(database, { orgId: options.org, rowsMax: listedClustersMax });
        for (const cluster of shown) print(options.json === true ? JSON.stringify(cluster) : lineOf(cluster));
        if (shown.length === 0 && options.json !== true) print('no cluster is known yet');
      }),
    );

  const change = (name: string, description: string) =>
    addAuditOptions(
      addDatabaseLocation(group.command(name).description(description).argument('<cluster>', 'its UUID', clusterId)),
    );

  change('move', 'gives a cluster to an organization: uploads of every other one are refused from then on')
    .argument('<organization>', 'its number', orgId)
    .action((cluster: string, to: number, _options: unknown, command: Command) =>
      withTables(command, input, async ({ owners }) => {
        const before = await owners.move(cluster, to, createSystemClock().nowMicros(), byWhomOf(command));
        print(`${cluster} belongs to organization ${to} now; before: ${describeOwner(before)}`);
      }),
    );

  change('name', 'gives a cluster a name, which lists show; "" takes it away')
    .argument('<name>', 'at most 120 characters')
    .action((cluster: string, name: string, _options: unknown, command: Command) =>
      withTables(command, input, async ({ database }) => {
        await nameCluster(database, { cluster, name }, byWhomOf(command));
        print(
          name.trim() === '' ? `${cluster} has no name now` : `${cluster} is called ${JSON.stringify(name.trim())} now`,
        );
      }),
    );

  change(
    'retire',
    'says that a cluster is gone for good: closes its issues and withdraws what waits about it; its next report brings it back',
  ).action((cluster: string, _options: unknown, command: Command) =>
    withTables(command, input, async ({ database }) => {
      const nowMicros = createSystemClock().nowMicros();
      const closed = await retireCluster(database, { cluster, nowMicros }, byWhomOf(command));
      print(
        closed === undefined
          ? `${cluster} was retired before`
          : `${cluster} is retired; issues closed: ${closed}. Its next report brings it back`,
      );
    }),
  );
}

async function withTables(
  command: Command,
  input: ProcessInput,
  work: (tables: { readonly database: Database; readonly owners: ClusterOwners }) => Promise<void>,
): Promise<void> {
  await withDatabase(command, input, async (database) => {
    const owners = new ClusterOwners(database);
    await owners.prepare();
    await work({ database, owners });
  });
}

async function withDatabase(
  command: Command,
  input: ProcessInput,
  work: (database: Database) => Promise<void>,
): Promise<void> {
  const database = connectDatabase({ url: await locateDatabase(command, input), applicationName: 'ccx clusters' });
  try {
    await work(database);
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

function lineOf(listed: ListedCluster): string {
  const mark = isSimulatedCluster(listed.cluster) ? 'simulated' : '';
  return [listed.cluster, mark, `organization ${listed.orgId}`, ownerText(listed), ...recordTexts(listed)]
    .filter((part) => part !== '')
    .join('  ');
}

function moment(rfc3339: string): string {
  return `${rfc3339.slice(0, 19).replace('T', ' ')} UTC`;
}

/** Empty where the cluster belongs to nobody. */
function ownerText({ since, bound, tokenSha256 }: ListedCluster): string {
  if (since === null) return '';
  const by = tokenSha256 === null ? (bound ? 'by ccx clusters move' : 'by its reports') : `token ${tokenSha256}`;
  return `since ${moment(since)}  ${by}${bound && tokenSha256 !== null ? ', bound' : ''}`;
}

/** None where no report of the cluster was stored. */
function recordTexts({ name, version, lastReportAt, state, stateSince, open }: ListedCluster): readonly string[] {
  if (lastReportAt === null) return [];
  const counts = Object.entries(open ?? {}).flatMap(([risk, count]) => (count === 0 ? [] : [`${count} ${risk}`]));
  return [
    name === null ? '' : JSON.stringify(name),
    `last report ${moment(lastReportAt)}${version === null ? '' : ` (${version})`}`,
    state === 'reporting' ? '' : `${state} since ${moment(stateSince!)}`,
    counts.length === 0 ? 'no open issues' : counts.join(', '),
  ];
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
