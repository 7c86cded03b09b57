/**
 * Due issues of one cluster → what receivers of the operator's own are told about them: their words, risks and links, without anything that an
 * archive holds. A webhook posts it as it is; what is written for people says the same. Pure.
 */
import type { Issue } from '../../../contracts/issue.ts';
import {
  EVENT_ISSUE_NEW,
  EVENT_ISSUE_RESOLVED,
  EVENT_TEST,
  RECEIVER_EVENT_SOURCE,
  type ReceiverEvent,
  type ReceiverEventIssue,
  riskName,
} from '../../../contracts/receiver-event.ts';
import { moduleOfComponent, totalRisk } from '../../../contracts/rule-content.ts';
import { cutUtf8 } from '../../../encoding/cut-utf8.ts';
import type { ComposeContext, DueCluster, ResolvedIssueOfCluster } from '../ports.ts';
import { plainTexts } from './plain-texts.ts';
import { fillClusterUri, fillUri } from './uri-template.ts';

const titleBytesMax = 255;
const testCluster = '00000000-0000-0000-0000-000000000000';

export interface EventLinks {
  /** `notifications.cluster_details_uri`: `{cluster_id}`. */
  readonly clusterDetailsUri: string;
  /** `notifications.rule_details_uri`: `{cluster_id}`, `{module}`, `{error_key}`. */
  readonly ruleDetailsUri: string;
}

export function newEvent(links: EventLinks, cluster: DueCluster, context: ComposeContext): ReceiverEvent {
  return eventOf(links, EVENT_ISSUE_NEW, cluster, context);
}

export function resolvedEvent(
  links: EventLinks,
  resolved: ResolvedIssueOfCluster,
  context: ComposeContext,
): ReceiverEvent {
  const { cluster, content } = resolved;
  const risk = totalRisk(content.metadata.impact.impact, content.metadata.likelihood);
  return eventOf(links, EVENT_ISSUE_RESOLVED, { cluster, issues: [{ ...resolved, totalRisk: risk }] }, context);
}

/** Says of itself that it is a test, and is about a cluster that there is not. */
export function testEvent(links: EventLinks, context: ComposeContext): ReceiverEvent {
  return eventOf(links, EVENT_TEST, { cluster: testCluster, issues: [] }, context);
}

type EventIssue = Pick<ResolvedIssueOfCluster, keyof Issue | 'rule' | 'content'> & { readonly totalRisk: number };

function eventOf(
  links: EventLinks,
  type: ReceiverEvent['type'],
  about: Pick<DueCluster, 'cluster'> & Partial<Pick<DueCluster, 'orgId'>> & { readonly issues: readonly EventIssue[] },
  { now, uuid }: ComposeContext,
): ReceiverEvent {
  const { cluster, orgId, issues } = about;
  return {
    specversion: '1.0',
    id: uuid(),
    source: RECEIVER_EVENT_SOURCE,
    type,
    subject: cluster,
    time: now.toISOString(),
    datacontenttype: 'application/json',
    data: {
      cluster_id: cluster,
      ...(orgId === undefined ? {} : { org_id: orgId }),
      cluster_url: fillClusterUri(links.clusterDetailsUri, cluster),
      issues: issues.map((issue): ReceiverEventIssue => {
        const module = moduleOfComponent(issue.component);
        const place = { cluster_id: cluster, module, error_key: issue.errorKey };
        return {
          rule: module,
          error_key: issue.errorKey,
          title: titleOf(issue),
          total_risk: issue.totalRisk,
          risk: riskName(issue.totalRisk),
          url: fillUri(links.ruleDetailsUri, place),
        };
      }),
    },
  };
}

function titleOf(issue: EventIssue): string {
  return lineOf(plainTexts(issue).description, titleBytesMax) || issue.errorKey;
}

/** One line without controls, direction marks and whatever else is not seen. */
export function lineOf(text: string, bytesMax: number): string {
  const line = text
    .toWellFormed()
    .replaceAll(/[\s\p{C}]+/gu, ' ')
    .trim();
  return cutUtf8(line, bytesMax).trimEnd();
}
