/**
 * A target's settings made ready for deciding: the filter compiled at start, the cooldown measured by the database, the verdict of every
 * rule, and a hash that changes exactly when some decision could. Used by the composition root and by each run.
 */
import { createHash } from 'node:crypto';
import { type Issue, issueIdentity } from '../../contracts/issue.ts';
import type { RuleContentDirectory } from '../../contracts/rule-content.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Queryable } from '../../platform/database/database.ts';
import { sqlState } from '../../platform/database/database-error.ts';
import type { TargetPolicySettings } from './config.ts';
import { compileEventFilter } from './decide/compile-event-filter.ts';
import type { RankedIssue } from './decide/day-cap.ts';
import type { Decision } from './decide/decide-cluster.ts';
import type { ClusterFilter } from './decide/disabled-rules.ts';
import { detailsByPosition } from './decide/report-slices.ts';
import { createVerdicts, type TargetPolicy } from './decide/verdicts.ts';
import type { DueCluster, DueIssue, Target } from './ports.ts';
import type { StoredReport } from './store/reports.ts';
import type { Events } from './telemetry.ts';

export type CompiledPolicy = ReturnType<typeof compilePolicy>;

/** Throws `CcxError` code `EVENT_FILTER_INVALID`. */
export function compilePolicy(settings: TargetPolicySettings) {
  return { ...settings, filter: compileEventFilter(settings.eventFilter, `${settings.section}.event_filter`) };
}

/** A change of the meaning of a stored decision must change this number, so that everything is looked at once more. */
const decisionVersion = 1;

export function preparePolicy(inputs: {
  readonly policy: CompiledPolicy;
  readonly target: Pick<Target, 'isStandIn'>;
  readonly content: RuleContentDirectory;
  readonly clusters: ClusterFilter;
  /** Undefined: no cooldown. */
  readonly cooldownMicros: bigint | undefined;
}): TargetPolicy {
  const verdicts = createVerdicts(inputs.content, inputs.policy);
  const { allowOnly, allowed, block, blocked } = inputs.clusters;
  const clusters = allowOnly ? ['allow', ...[...allowed].sort()] : block ? ['block', ...[...blocked].sort()] : [];
  const standIn = inputs.target.isStandIn === true ? ['stand-in'] : [];
  const { scope } = inputs.policy;
  const scoped = scope === undefined ? [] : [[...scope.organizations].sort(), [...scope.clusters].sort()];
  const decisive = [decisionVersion, inputs.policy.cooldown.trim(), clusters, verdicts.summary, ...standIn, ...scoped];
  const hash = createHash('sha256').update(JSON.stringify(decisive)).digest('hex').slice(0, 32);
  return {
    verdicts,
    cooldownMicros: inputs.cooldownMicros,
    clusterCap: inputs.policy.clusterCap,
    sendResolved: inputs.policy.sendResolved,
    scope,
    section: inputs.policy.section,
    hash,
  };
}

/**
 * Length of the cooldown that ends now, as the server counts months and days. Undefined when there is none: blank text, a first word `0`
 * (both as in the reference), an interval of nothing, or a negative one where those are taken. Code: `COOLDOWN_INVALID`.
 */
export async function measureCooldown(
  queryable: Queryable,
  settings: TargetPolicySettings,
  { nowText, events }: { readonly nowText: string; readonly events: Pick<Events, 'negativeCooldown'> },
): Promise<bigint | undefined> {
  const text = settings.cooldown.trim();
  if (text === '' || text.split(' ')[0] === '0') return undefined;
  let micros: bigint;
  try {
    const { rows } = await queryable.query<{ micros: bigint }>(
      `SELECT ((extract(epoch FROM $1::timestamp) - extract(epoch FROM $1::timestamp - $2::interval)) * 1000000)::bigint AS micros`,
      [nowText, text],
    );
    micros = rows[0]!.micros;
  } catch (cause) {
    if (!(sqlState(cause) ?? '').startsWith('22')) throw cause;
    throw new CcxError(`the cooldown ${JSON.stringify(text)} is not an interval`, {
      code: 'COOLDOWN_INVALID',
      category: 'configuration',
      cause,
      hint: `change ${settings.section}.cooldown to a PostgreSQL interval such as "1 week"`,
    });
  }
  if (micros >= 0n) return micros === 0n ? undefined : micros;
  if (settings.negativeCooldown === 'refused') {
    throw new CcxError(`the cooldown ${JSON.stringify(text)} is negative`, {
      code: 'COOLDOWN_INVALID',
      category: 'configuration',
      hint: `change ${settings.section}.cooldown to an interval such as "1 week", or to 0 for none`,
    });
  }
  events.negativeCooldown(settings.section, text);
  return undefined;
}

/** An issue that passes its target's filters, for the cap on a day. */
export function rankedIssue({ verdicts }: Pick<TargetPolicy, 'verdicts'>, issue: Issue): RankedIssue {
  const verdict = verdicts.of(issue.component, issue.errorKey);
  return { identity: issueIdentity(issue), totalRisk: verdict.kind === 'pass' ? verdict.totalRisk : 0 };
}

interface DueContext {
  readonly target: Pick<Target, 'name'>;
  readonly policy: Pick<TargetPolicy, 'verdicts'>;
  readonly events: Pick<Events, 'riskWithoutSeverity'>;
}

/** The issues of a cluster that are to be notified, with what composing needs of the report and of the rule content. */
export function dueClusterOf(
  { target, policy, events }: DueContext,
  report: StoredReport,
  decisions: readonly Decision[],
): DueCluster {
  const due = decisions.filter(({ notify }) => notify);
  const positions = new Set(due.flatMap(({ position }) => position ?? []));
  const details = detailsByPosition(report.text ?? '', positions);
  const issues = due.flatMap(({ issue, position }): DueIssue[] => {
    const verdict = policy.verdicts.of(issue.component, issue.errorKey);
    if (verdict.kind !== 'pass') return [];
    const { totalRisk, rule, content } = verdict;
    if (target.name === 'service-log' && (totalRisk < 1 || totalRisk > 4)) events.riskWithoutSeverity(totalRisk);
    return [{ ...issue, details: details.get(position ?? -1) ?? 'null', totalRisk, rule, content }];
  });
  const { orgId, accountNumber, cluster, updatedAt, requestId } = report;
  return { orgId, accountNumber, cluster, reportUpdatedAt: updatedAt, requestId, issues };
}
