/** Bodies about acknowledgements, and of the overview. Pure. */
import { type Acknowledgement, selectorOf } from '../../../contracts/acknowledgement.ts';
import type { Ack, OrgOverview } from '../../../contracts/results-api.ts';
import type { RuleContentDirectory } from '../../../contracts/rule-content.ts';
import { listRules } from './known-rules.ts';

export function shapeAck(
  one: Pick<Acknowledgement, 'component' | 'errorKey' | 'justification' | 'by' | 'untilResolved'> & {
    readonly madeAt: string;
    readonly endsAt: string | null;
  },
): Ack {
  return {
    rule: selectorOf(one),
    justification: one.justification,
    created_by: one.by,
    created_at: one.madeAt,
    updated_at: '',
    until: one.endsAt,
    until_resolved: one.untilResolved,
  };
}

/** A mark that every rule has: the cluster has some issue. */
export const anyMark = 'any';
const riskMark = (risk: number) => `risk ${risk}`;
const tagMark = (tag: string) => `tag ${tag}`;

/** What each rule counts for. */
export function overviewMarks(content: RuleContentDirectory) {
  return listRules(content).map(({ module, errorKey, content: { metadata }, totalRisk }) => ({
    component: `${module}.report`,
    errorKey,
    marks: [anyMark, riskMark(totalRisk), ...metadata.tags.map(tagMark)],
  }));
}

export function shapeOverview(counts: ReadonlyMap<string, number>, content: RuleContentDirectory): OrgOverview {
  const countOf = (mark: string) => counts.get(mark) ?? 0;
  const tags = new Set(listRules(content).flatMap(({ content: { metadata } }) => metadata.tags));
  const hitTags = [...tags].toSorted().filter((tag) => countOf(tagMark(tag)) > 0);
  return {
    status: 'ok',
    overview: {
      clusters_hit: countOf(anyMark),
      hit_by_risk: {
        '1': countOf(riskMark(1)),
        '2': countOf(riskMark(2)),
        '3': countOf(riskMark(3)),
        '4': countOf(riskMark(4)),
      },
      hit_by_tag: Object.fromEntries(hitTags.map((tag) => [tag, countOf(tagMark(tag))])),
    },
  };
}
