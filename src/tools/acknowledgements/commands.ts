/** `ccx acks add|list|remove`: rules that are disabled for a cluster or an organization: by whom, why and until when. */
import type { Command } from 'commander';
import { type AcknowledgedRule, parseSelector, selectorOf } from '../../contracts/acknowledgement.ts';
import { isUuid, parseOrgId } from '../../contracts/identifiers.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import { migrateCcx } from '../../platform/database/ccx-migrations.ts';
import { connectDatabase } from '../../platform/database/connect-database.ts';
import type { Database } from '../../platform/database/database.ts';
import { addDatabaseLocation, locateDatabase } from '../../platform/database/database-location.ts';
import { describeFailure } from '../../platform/lifecycle/run-role.ts';
import {
  addAcknowledgement,
  type ListedAcknowledgement,
  listAcknowledgements,
  nowOf,
  organizationOf,
  readUntil,
  removeAcknowledgement,
} from '../../platform/records/acknowledgements.ts';
import { addAuditOptions, byWhomOf } from '../../platform/records/audit.ts';

const unknownExitCode = 2;

interface ScopeFlags {
  readonly cluster?: string;
  readonly organization?: string;
  readonly rule?: string;
  readonly json?: boolean;
}

export function register(program: Command, input: ProcessInput): void {
  const group = program
    .command('acks')
    .description(
      'rules that are disabled for a cluster or an organization, nothing of which is notified: add, list, remove',
    )
    .addHelpText('after', exitCodesHelp);

  const add = scoped(
    group
      .command('add')
      .description('disables a rule, or one error key of it; where it is disabled already, changes until when and why'),
  )
    .option(
      '--until <when>',
      'until then: a time (2026-12-24, 2026-12-24T16:00:00Z) or an interval from now (30d, "2 weeks")',
    )
    .option('--until-resolved', 'until it is resolved, or --until, if that comes first')
    .option('--justification <text>', 'why')
    .option('--json', 'as one JSON object');
  addAuditOptions(addDatabaseLocation(add), { withReason: false }).action(
    (flags: ScopeFlags & { until?: string; untilResolved?: boolean; justification?: string }, command: Command) =>
      withDatabase(command, input, async (database) => {
        const { orgId, cluster, rule } = readScope(flags);
        if (rule === undefined) throw noRule();
        await migrateCcx(database, 'records');
        const { result, acknowledgement } = await addAcknowledgement(
          database,
          {
            ...{ ...rule, cluster, orgId: orgId ?? (await organizationOfKnown(database, cluster!)) },
            until: flags.until === undefined ? null : await readUntil(database, flags.until),
            untilResolved: flags.untilResolved === true,
            justification: flags.justification ?? '',
          },
          { byWhom: byWhomOf(command), at: await nowOf(database) },
        );
        printResult(result, acknowledgement, flags);
      }),
  );

  addDatabaseLocation(scoped(group.command('list').description('what is disabled now, oldest first')))
    .option('--all', 'what is over, too: the history')
    .option('--json', 'one JSON object per line')
    .action((flags: ScopeFlags & { all?: boolean }, command: Command) =>
      withDatabase(command, input, async (database) => {
        const { orgId, cluster, rule } = readFilter(flags);
        let count = 0;
        const filter = { orgId, cluster: cluster ?? undefined, rule, all: flags.all };
        for await (const one of listAcknowledgements(database, filter, await nowOf(database))) {
          count += 1;
          print(flags.json === true ? JSON.stringify(one) : lineOf(one));
        }
        if (count === 0 && flags.json !== true) print('no rule is disabled');
      }),
    );

  const remove = scoped(
    group.command('remove [id]').description('enables a rule again, by the id or by what was acknowledged'),
  ).option('--json', 'one JSON object per line');
  addAuditOptions(addDatabaseLocation(remove)).action((id: string | undefined, flags: ScopeFlags, command: Command) =>
    withDatabase(command, input, async (database) => {
      const ids = id === undefined ? undefined : [readId(id, flags)];
      const scope = ids === undefined ? readScope(flags) : undefined;
      if (scope !== undefined && scope.rule === undefined) throw noRule();
      await migrateCcx(database, 'records');
      const at = await nowOf(database);
      for (const one of ids ?? (await idsOf(database, scope!, at))) {
        const removed = await removeAcknowledgement(database, one, { byWhom: byWhomOf(command), at });
        if (removed === undefined) return endWith(unknownExitCode, unknownId(one));
        printResult(removed.result, removed.acknowledgement, flags);
      }
    }),
  );
}

const exitCodesHelp = `
Exit codes:
  0  done, or it was so before
  1  wrong use, or the database failed
  ${unknownExitCode}  there is no acknowledgement of that id
`;

function scoped(command: Command): Command {
  return command
    .option('--cluster <id>', 'for this cluster')
    .option('--organization <number>', 'for all clusters of this organization; beside --cluster: whose cluster it is')
    .option('--rule <selector>', 'module or module|KEY: ccx_rules_ocp.external.rules.NAME|KEY');
}

async function withDatabase(command: Command, input: ProcessInput, work: (database: Database) => Promise<void>) {
  const database = connectDatabase({ url: await locateDatabase(command, input), applicationName: 'ccx acks' });
  try {
    await work(database);
  } finally {
    await database.close();
  }
}

interface Scope {
  /** Undefined: whose cluster it is is to be looked up. */
  readonly orgId: number | undefined;
  readonly cluster: string | null;
  readonly rule: AcknowledgedRule | undefined;
}

function readScope(flags: ScopeFlags): Scope {
  if (flags.cluster !== undefined || flags.organization !== undefined) return readFilter(flags);
  throw inputError(
    'ACK_SCOPE',
    'neither a cluster nor an organization was named',
    'give --cluster ID or --organization NUMBER',
  );
}

function readFilter({ cluster, organization, rule }: ScopeFlags): Scope {
  const orgId = organization === undefined ? undefined : parseOrgId(organization);
  if (organization !== undefined && orgId === undefined)
    throw inputError('ACK_SCOPE', `${organization} is no organization`, 'an organization is named by its number');
  if (cluster !== undefined && !isUuid(cluster))
    throw inputError('ACK_SCOPE', `${cluster} is no cluster`, 'a cluster is named by its UUID');
  return { orgId, cluster: cluster?.toLowerCase() ?? null, rule: rule === undefined ? undefined : readRule(rule) };
}

function readRule(text: string): AcknowledgedRule {
  const rule = parseSelector(text);
  if (rule !== undefined) return rule;
  throw inputError(
    'ACK_RULE',
    `${JSON.stringify(text)} names no rule`,
    "write the rule's module, and the error key behind a bar: ccx_rules_ocp.external.rules.NAME|KEY, as ccx explain shows them",
  );
}

function noRule(): CcxError {
  return inputError('ACK_RULE', 'no rule was named', 'give --rule MODULE or --rule "MODULE|KEY"');
}

function readId(id: string, { cluster, organization, rule }: ScopeFlags): string {
  if ([cluster, organization, rule].some((flag) => flag !== undefined))
    throw inputError('ACK_CHOSEN_TWICE', 'an id and flags that choose exclude each other', 'give either');
  if (isUuid(id)) return id.toLowerCase();
  throw inputError('ACK_ID', `${id} is no id of an acknowledgement`, 'ids are UUIDs; ccx acks list shows them');
}

async function organizationOfKnown(database: Database, cluster: string): Promise<number> {
  const orgId = await organizationOf(database, cluster);
  if (orgId !== undefined) return orgId;
  throw inputError(
    'ACK_CLUSTER_UNKNOWN',
    `no report of cluster ${cluster} is stored, so that its organization is not known`,
    'check the id, or give --organization NUMBER, too',
  );
}

/** In force, and exactly that: of a selector without a key not what is acknowledged of single keys. */
async function idsOf(database: Database, { orgId, cluster, rule }: Scope, at: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const one of listAcknowledgements(database, { orgId, cluster: cluster ?? undefined, rule }, at))
    if (one.cluster === cluster && one.errorKey === rule!.errorKey) ids.push(one.id);
  if (ids.length === 0) process.stderr.write(`${selectorOf(rule!)} is not disabled there\n`);
  return ids;
}

function unknownId(id: string): CcxError {
  return inputError(
    'ACK_UNKNOWN',
    `there is no acknowledgement ${id}`,
    'ccx acks list --all shows all there ever were',
  );
}

function endWith(exitCode: number, error: CcxError): void {
  process.stderr.write(`${describeFailure(error)}\n`);
  process.exitCode = exitCode;
}

function inputError(code: string, message: string, hint: string): CcxError {
  return new CcxError(message, { code, category: 'input', hint });
}

function printResult(result: string, acknowledgement: ListedAcknowledgement, { json }: ScopeFlags): void {
  print(json === true ? JSON.stringify({ result, acknowledgement }) : `${result}  ${lineOf(acknowledgement)}`);
}

function lineOf(one: ListedAcknowledgement): string {
  const { id, cluster, orgId, until, untilResolved, by, madeAt, justification, endedAt, endedReason, endedBy } = one;
  const where = cluster === null ? `organization ${orgId}` : `cluster ${cluster} of organization ${orgId}`;
  const ends = [
    ...(until === null ? [] : [`until ${moment(until)}`]),
    ...(untilResolved ? ['until it is resolved'] : []),
    ...(until === null && !untilResolved ? ['until it is removed'] : []),
  ].join(' or ');
  const how =
    endedReason === 'removed' ? `removed by ${endedBy}` : endedReason === 'date' ? 'its date came' : 'it was resolved';
  const over = endedAt === null ? '' : `  over since ${moment(endedAt)}: ${how}`;
  const why = justification === '' ? '' : `  ${justification}`;
  return `${id}  ${where}  ${selectorOf(one)}  ${ends}  by ${by} since ${moment(madeAt)}${why}${over}`;
}

function moment(timestamp: string): string {
  return `${timestamp.slice(0, 19)} UTC`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
