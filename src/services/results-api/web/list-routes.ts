/** What user interfaces and hubs read: clusters, rules with how many clusters have them, and the texts. */
import { z } from 'zod';
import {
  allContentSchema,
  clusterInfoSchema,
  clusterListSchema,
  refusalSchema,
  ruleClustersSchema,
  ruleContentSchema,
  ruleGroupsSchema,
  ruleListSchema,
  ruleOfReaderSchema,
} from '../../../contracts/results-api.ts';
import { factsOf, findRule, type KnownRule, textsOf } from '../answers/known-rules.ts';
import {
  isDisabled,
  pageOf,
  shapeAllContent,
  shapeClusterInfo,
  shapeClusterList,
  shapeGroups,
  shapeRuleClusters,
  shapeRuleList,
} from '../answers/lists.ts';
import { countClusters, countImpacted, listClusters, listClustersOfRule, listDisabledRules } from '../store/lists.ts';
import { readCluster, readNewestReport } from '../store/reports.ts';
import {
  flag,
  organizationQuery,
  pagedQuery,
  pageRowsDefault,
  type Route,
  type RuleKey,
  refuse,
  route,
} from './route.ts';
import { clusterNotFound, onCluster, requireKept, type Sources, visibleTo } from './sources.ts';

const refused = (description: string) => ({ description, schema: refusalSchema });
const ofList = {
  403: refused('Nothing may be read by this.'),
  404: refused('There is no such organization, or not for this reader.'),
  501: refused('The role that keeps this is missing.'),
};
const noRule = refused('The rule content does not know it.');
const afterCluster = z.guid().toLowerCase().optional();

export function listRoutes(sources: Sources): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/clusters',
      summary: 'Clusters that report, with how many issues of each risk they have',
      query: z.object({ ...pagedQuery, after: afterCluster, org_id: organizationQuery }),
      answers: { 200: { description: 'A page of them, by id.', schema: clusterListSchema }, ...ofList },
      async handle(call) {
        const { limit = pageRowsDefault, after, org_id: orgId } = call.query;
        return await sources.read(async (tx, kept) => {
          requireKept(kept.issues, 'notifier');
          const who = await visibleTo(call, { orgId }, { tx, kept });
          const { rows, next } = pageOf(
            await listClusters(tx, who, { after, rowsMax: limit + 1 }),
            limit,
            ({ cluster }) => cluster,
          );
          return { status: 200, body: shapeClusterList(rows, { count: await countClusters(tx, who), next }) };
        });
      },
    }),
    route({
      method: 'GET',
      path: '/cluster/{cluster}/info',
      summary: 'Name and state of a cluster',
      answers: {
        200: { description: 'The cluster.', schema: clusterInfoSchema },
        404: refused('There is no report of the cluster, or not for this reader.'),
        501: ofList[501],
      },
      async handle(call) {
        return await onCluster(call, sources, async (tx, where, kept) => {
          const stored = kept.issues ? await readCluster(tx, where) : undefined;
          if (stored === undefined && (await readNewestReport(tx, where, kept)) === undefined)
            return clusterNotFound(where.cluster);
          return { status: 200, body: shapeClusterInfo(where.cluster, stored) };
        });
      },
    }),
    route({
      method: 'GET',
      path: '/rule',
      summary: 'Rules, with how many clusters have an issue of them now',
      query: z.object({
        ...pagedQuery,
        after: z.string().max(1_024).optional(),
        impacting: flag.optional(),
        org_id: organizationQuery,
      }),
      answers: { 200: { description: 'A page of them, by selector.', schema: ruleListSchema }, ...ofList },
      async handle(call) {
        const { limit: rowsMax = pageRowsDefault, after, impacting, org_id: orgId } = call.query;
        const content = await sources.content();
        return await sources.read(async (tx, kept) => {
          requireKept(kept.issues, 'notifier');
          const who = await visibleTo(call, { orgId }, { tx, kept });
          const counts = await countImpacted(tx, who);
          const disabled = await listDisabledRules(tx, who.orgId);
          return { status: 200, body: shapeRuleList({ content, counts, disabled, impacting, after, rowsMax }) };
        });
      },
    }),
    route({
      method: 'GET',
      path: '/rule/{selector}',
      summary: 'The texts of a rule, and whether it is disabled for the organization',
      query: z.object({ org_id: organizationQuery }),
      answers: {
        200: { description: 'The rule.', schema: ruleOfReaderSchema },
        403: ofList[403],
        404: noRule,
        501: ofList[501],
      },
      async handle(call) {
        const known = await knownRule(sources, call.path.selector);
        return await sources.read(async (tx, kept) => {
          const who = await visibleTo(call, { orgId: call.query.org_id }, { tx, kept });
          const disabled = kept.acknowledgements ? await listDisabledRules(tx, who.orgId) : [];
          const own = { rating: 0, hosts_acked_count: 0, disabled: isDisabled(known, disabled) };
          const body = { status: 'ok', groups: shapeGroups(sources.groups), content: { ...contentOf(known), ...own } };
          return { status: 200, body };
        });
      },
    }),
    route({
      method: 'GET',
      path: '/rule/{selector}/content',
      summary: 'The texts of a rule',
      answers: { 200: { description: 'The rule.', schema: ruleContentSchema }, 404: noRule },
      async handle(call) {
        const known = await knownRule(sources, call.path.selector);
        return {
          status: 200,
          body: { status: 'ok', groups: shapeGroups(sources.groups), content: contentOf(known) },
        };
      },
    }),
    route({
      method: 'GET',
      path: '/rule/{selector}/clusters_detail',
      summary: 'Clusters that have an issue of a rule now, and those for which it is disabled',
      query: z.object({ ...pagedQuery, after: afterCluster, org_id: organizationQuery }),
      answers: {
        200: { description: 'A page of them, by id.', schema: ruleClustersSchema },
        ...ofList,
        404: noRule,
      },
      async handle(call) {
        const { limit = pageRowsDefault, after, org_id: orgId } = call.query;
        const { selector } = call.path;
        await knownRule(sources, selector);
        return await sources.read(async (tx, kept) => {
          requireKept(kept.issues, 'notifier');
          const who = await visibleTo(call, { orgId }, { tx, kept });
          const listed = await listClustersOfRule(tx, who, selector, { after, rowsMax: limit + 1 });
          const { rows, next } = pageOf(listed, limit, ({ cluster }) => cluster);
          return { status: 200, body: shapeRuleClusters(rows, next) };
        });
      },
    }),
    route({
      method: 'GET',
      path: '/content',
      summary: 'The texts of all rules',
      answers: { 200: { description: 'All of them.', schema: allContentSchema } },
      async handle() {
        return { status: 200, body: shapeAllContent(await sources.content(), sources.groups) };
      },
    }),
    route({
      method: 'GET',
      path: '/groups',
      summary: 'The groups that rules are shown in',
      answers: { 200: { description: 'All of them.', schema: ruleGroupsSchema } },
      async handle() {
        return { status: 200, body: { status: 'ok', groups: shapeGroups(sources.groups) } };
      },
    }),
  ];
}

/** Refuses one that the content does not know. */
export async function knownRule(sources: Pick<Sources, 'content'>, selector: RuleKey): Promise<KnownRule> {
  const known = findRule(await sources.content(), selector);
  // Content goes by the last word of a module; who names a rule means the whole of it.
  if (known !== undefined && known.module === known.rule.plugin.python_module) return known;
  return refuse(404, 'RULE_NOT_FOUND', 'the rule content does not know this rule and key');
}

function contentOf(known: KnownRule) {
  return { ...factsOf(known), ...textsOf(known) };
}
