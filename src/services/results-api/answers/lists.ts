/** Bodies of the lists: clusters, rules, clusters of a rule, requests. Pure: pages of rows and content in, bodies out. */
import { type AcknowledgedRule, isOfRule } from '../../../contracts/acknowledgement.ts';
import type {
  AllContent,
  ClusterInfo,
  ClusterList,
  RequestList,
  RuleClusters,
  RuleList,
} from '../../../contracts/results-api.ts';
import {
  type ErrorKeyContent,
  type RuleContent,
  type RuleContentDirectory,
  totalRisk,
} from '../../../contracts/rule-content.ts';
import type { RuleGroup } from '../../../rules/content/rule-groups.ts';
import { factsOf, type KnownRule, listRules, ruleSelector } from './known-rules.ts';

/** A page, and whether something comes behind it: one row more than wanted was asked for. */
export function pageOf<Row>(
  rows: readonly Row[],
  rowsMax: number,
  keyOf: (row: Row) => string,
): { readonly rows: readonly Row[]; readonly next: string | null } {
  const page = rows.slice(0, rowsMax);
  return { rows: page, next: rows.length > rowsMax ? keyOf(page.at(-1)!) : null };
}

interface ClusterRow {
  readonly cluster: string;
  readonly name: string | null;
  readonly version: string | null;
  readonly lastReportAt: string;
}

export function shapeClusterList(
  rows: readonly (ClusterRow & { readonly hits: readonly [number, number, number, number] })[],
  meta: ClusterList['meta'],
): ClusterList {
  const data = rows.map(({ cluster, name, version, lastReportAt, hits }) => ({
    cluster_id: cluster,
    cluster_name: name ?? cluster,
    managed: false as const,
    last_checked_at: lastReportAt,
    total_hit_count: hits.reduce((sum, count) => sum + count, 0),
    hits_by_total_risk: { '1': hits[0], '2': hits[1], '3': hits[2], '4': hits[3] },
    ...(version === null ? {} : { cluster_version: version }),
  }));
  return { status: 'ok', meta, data };
}

/** In the words of the hosted service's source of clusters. */
const states = { reporting: 'Active', stale: 'Stale', retired: 'Archived' } as const;

export function shapeClusterInfo(
  cluster: string,
  stored: { readonly name: string | null; readonly state: keyof typeof states } | undefined,
): ClusterInfo {
  const { name = null, state = 'reporting' } = stored ?? {};
  return {
    status: 'ok',
    cluster: { cluster_id: cluster, display_name: name ?? cluster, managed: false, status: states[state] },
  };
}

interface RuleListFacts {
  readonly content: RuleContentDirectory;
  readonly counts: readonly { readonly component: string; readonly errorKey: string; readonly clusters: number }[];
  readonly disabled: readonly AcknowledgedRule[];
  /** Only those with clusters, or only those without; undefined: all. */
  readonly impacting: boolean | undefined;
  readonly after: string | undefined;
  readonly rowsMax: number;
}

export function shapeRuleList({ content, counts, disabled, impacting, after = '', rowsMax }: RuleListFacts): RuleList {
  const clusters = new Map(counts.map((count) => [`${count.component}\0${count.errorKey}`, count.clusters]));
  const countOf = ({ module, errorKey }: KnownRule) =>
    Math.max(0, clusters.get(`${module}.report\0${errorKey}`) ?? clusters.get(`${module}\0${errorKey}`) ?? 0);
  const wanted = listRules(content).filter((known) => impacting === undefined || countOf(known) > 0 === impacting);
  const behind = wanted.filter((known) => ruleSelector(known) > after);
  const page = pageOf(behind, rowsMax, ruleSelector);
  return {
    status: 'ok',
    meta: { count: wanted.length, next: page.next },
    recommendations: page.rows.map((known) => ({
      ...factsOf(known),
      disabled: isDisabled(known, disabled),
      impacted_clusters_count: countOf(known),
    })),
  };
}

/** For the whole organization. */
export function isDisabled({ module, errorKey }: KnownRule, disabled: readonly AcknowledgedRule[]): boolean {
  return disabled.some((rule) => isOfRule({ component: `${module}.report`, errorKey }, rule));
}

export function shapeRuleClusters(
  rows: readonly (ClusterRow & {
    readonly firstSeenAt: string;
    readonly disabledAt: string | null;
    readonly justification: string | null;
  })[],
  next: string | null,
): RuleClusters {
  const enabled = rows.filter(({ disabledAt }) => disabledAt === null);
  return {
    status: 'ok',
    meta: { count: rows.length, next },
    data: {
      enabled: enabled.map(({ cluster, name, version, lastReportAt, firstSeenAt }) => ({
        cluster,
        cluster_name: name ?? cluster,
        last_checked_at: lastReportAt,
        impacted: firstSeenAt,
        meta: { cluster_version: version ?? '' },
      })),
      disabled: rows.flatMap(({ cluster, name, disabledAt, justification }) =>
        disabledAt === null
          ? []
          : {
              cluster_id: cluster,
              cluster_name: name ?? cluster,
              disabled_at: disabledAt,
              justification: justification ?? '',
            },
      ),
    },
  };
}

interface RequestRow {
  readonly requestId: string;
  readonly receivedAt: string;
  readonly processedAt: string;
}

export function shapeRequestList(cluster: string, rows: readonly RequestRow[], next: string | null): RequestList {
  const requests = rows.map(({ requestId, receivedAt, processedAt }) => ({
    requestID: requestId,
    valid: true,
    received: receivedAt,
    processed: processedAt,
  }));
  return { cluster, status: 'ok', requests, meta: { count: requests.length, next } };
}

/** In the order in which they were asked for. `spellings`: how an id may be stored. */
export function shapeAskedRequests(
  cluster: string,
  asked: readonly string[],
  rows: readonly RequestRow[],
  spellings: (requestId: string) => readonly string[],
): RequestList {
  const found = new Map(rows.toReversed().map((row) => [row.requestId, row]));
  const requests = asked.map((requestID) => {
    const row = spellings(requestID)
      .map((id) => found.get(id))
      .find((one) => one !== undefined);
    return row === undefined
      ? { requestID, valid: false }
      : { requestID, valid: true, received: row.receivedAt, processed: row.processedAt };
  });
  return { cluster, status: 'ok', requests, meta: { count: requests.length, next: null } };
}

export function shapeAllContent(directory: RuleContentDirectory, groups: readonly RuleGroup[]): AllContent {
  return { status: 'ok', groups: shapeGroups(groups), content: Object.values(directory.rules).map(contentOf) };
}

export function shapeGroups(groups: readonly RuleGroup[]) {
  return groups.map(({ title, description, tags }) => ({ title, description, tags: [...tags] }));
}

function contentOf({ plugin, error_keys, ...rule }: RuleContent): AllContent['content'][number] {
  const { name, node_id, product_code, python_module } = plugin;
  return {
    ...textsAs(rule),
    plugin: { name, node_id, product_code, python_module },
    error_keys: Object.fromEntries(Object.entries(error_keys).map(([key, content]) => [key, keyOf(content)])),
  };
}

function keyOf(content: ErrorKeyContent) {
  const { description, impact, likelihood, publish_date, resolution_risk, status, tags } = content.metadata;
  return {
    ...textsAs(content),
    total_risk: totalRisk(impact.impact, likelihood),
    metadata: {
      ...{ description, impact: impact.impact, likelihood, publish_date, resolution_risk, status },
      tags: [...tags],
    },
  };
}

function textsAs({
  generic,
  summary,
  resolution,
  more_info,
  reason,
  HasReason,
}: Omit<RuleContent, 'plugin' | 'error_keys'>) {
  return { generic, summary, resolution, more_info, reason, HasReason };
}
