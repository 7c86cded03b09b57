/** What a cluster is told of its newest report, and of the report of one request. Pure: rows and content in, bodies out. Source: ingress.md B.6. */
import { type AcknowledgedRule, isOfRule } from '../../../contracts/acknowledgement.ts';
import type { ClusterReport, RequestReport } from '../../../contracts/results-api.ts';
import type { RuleContentDirectory } from '../../../contracts/rule-content.ts';
import { findRule, type KnownRule, textsOf } from './known-rules.ts';
import type { StoredHit } from './stored-hits.ts';

/** When an issue was seen first, RFC 3339. */
export interface FirstSeen {
  readonly component: string;
  readonly errorKey: string;
  readonly at: string;
}

/** A rule, or a key of it, that is disabled for the cluster or its organization. */
export interface DisabledHit extends AcknowledgedRule {
  readonly justification: string;
  /** RFC 3339. */
  readonly madeAt: string;
}

interface ReportFacts {
  readonly hits: readonly StoredHit[];
  /** The narrowest first. */
  readonly disabled: readonly DisabledHit[];
  readonly content: RuleContentDirectory;
}

interface ShownHit {
  readonly hit: StoredHit;
  readonly known: KnownRule;
  readonly disabled: DisabledHit | undefined;
}

/** Rules of which there are texts, and how many more there are. */
function sortHits({ hits, disabled, content }: ReportFacts): { readonly shown: ShownHit[]; readonly unknown: number } {
  const shown = hits.flatMap((hit): ShownHit[] => {
    const known = findRule(content, hit);
    return known === undefined ? [] : [{ hit, known, disabled: disabled.find((one) => isOfRule(hit, one)) }];
  });
  return { shown, unknown: hits.length - shown.length };
}

export function shapeClusterReport(
  facts: ReportFacts & {
    readonly cluster: { readonly id: string; readonly name: string | null };
    readonly firstSeen: readonly FirstSeen[];
    /** RFC 3339; of an issue of which nobody knows since when it is there. */
    readonly storedAt: string;
    readonly lastCheckedAt: string | null;
    readonly gatheredAt: string | null;
    /** Whether those that are disabled are shown, too. */
    readonly withDisabled: boolean;
  },
): ClusterReport {
  const { shown, unknown } = sortHits(facts);
  const wanted = shown.filter(({ disabled }) => facts.withDisabled || disabled === undefined);
  const since = new Map(facts.firstSeen.map(({ component, errorKey, at }) => [`${component}\0${errorKey}`, at]));
  const data = wanted.map(({ hit, known, disabled }) => {
    const { generic, ...texts } = textsOf(known);
    const at = since.get(`${hit.component}\0${hit.errorKey}`) ?? facts.storedAt;
    return {
      rule_id: `${known.module}.report`,
      created_at: at,
      description: known.content.metadata.description,
      details: generic,
      ...texts,
      total_risk: known.totalRisk,
      risk_of_change: known.content.metadata.resolution_risk,
      disabled: disabled !== undefined,
      disable_feedback: disabled?.justification ?? '',
      disabled_at: disabled?.madeAt ?? ('' as const),
      internal: known.module.includes('.internal.'),
      user_vote: 0 as const,
      extra_data: { ...hit.details, error_key: hit.errorKey },
      tags: [...known.content.metadata.tags],
      impacted: at,
    };
  });
  return {
    status: 'ok',
    report: {
      meta: {
        cluster_name: facts.cluster.name ?? facts.cluster.id,
        managed: false,
        // As the hosted service: of a report that has only rules without texts there is nothing to show.
        count: shown.length === 0 ? 0 : data.length + unknown,
        last_checked_at: facts.lastCheckedAt ?? facts.storedAt,
        ...(facts.gatheredAt === null ? {} : { gathered_at: facts.gatheredAt }),
      },
      data,
    },
  };
}

export function shapeRequestReport(
  { cluster, requestId }: { readonly cluster: string; readonly requestId: string },
  facts: ReportFacts,
): RequestReport {
  const shown = sortHits(facts).shown.filter(({ disabled }) => disabled === undefined);
  return {
    cluster,
    requestID: requestId,
    status: 'processed',
    report: shown.map(({ hit, known }) => ({
      rule_fqdn: `${known.module}.report`,
      error_key: hit.errorKey,
      description: known.content.metadata.description,
      total_risk: known.totalRisk,
    })),
  };
}
