/**
 * "We know, leave us alone until March": rules that are acknowledged for an organization, and disabled for one cluster. The records are those
 * of `ccx acks`; the notification service honours them when it decides, and once more before it sends.
 */
import { z } from 'zod';
import { parseSelector } from '../../../contracts/acknowledgement.ts';
import {
  type AckChanged,
  ackChangedSchema,
  ackListSchema,
  ackSchema,
  ackWantedSchema,
  disableFeedbackSchema,
  doneSchema,
  feedbackDoneSchema,
  orgOverviewSchema,
  refusalSchema,
} from '../../../contracts/results-api.ts';
import { decideClusterChange, decideOrganizationChange } from '../../../platform/auth/decide/access.ts';
import {
  addAcknowledgement,
  nowOf,
  readUntil,
  removeAcknowledgement,
} from '../../../platform/records/acknowledgements.ts';
import type { ByWhom } from '../../../platform/records/audit.ts';
import { overviewMarks, shapeAck, shapeOverview } from '../answers/acknowledged.ts';
import { pageOf } from '../answers/lists.ts';
import { type AcknowledgementInForce, findAcknowledged, listAcknowledged } from '../store/acknowledgements.ts';
import type { KeptCounts } from '../store/kept-counts.ts';
import { countClustersByMark, readDisabledOf } from '../store/overview.ts';
import { type OfCluster, readOwner } from '../store/reports.ts';
import { knownRule } from './list-routes.ts';
import {
  type Call,
  organizationQuery,
  pagedQuery,
  pageRowsDefault,
  type Route,
  type RuleKey,
  readRule,
  refuse,
  route,
} from './route.ts';
import { clusterNotFound, onCluster, requireKept, type Sources, visibleTo } from './sources.ts';

const refused = (description: string) => ({ description, schema: refusalSchema });
const mayNot = refused('It may be read, and not be changed, by this.');
const noAck = refused(
  'The rule is not acknowledged, the rule content does not know it, or there is no such organization.',
);
const notKept = refused('The records are not in this database: ccx db init makes them.');
const changes = { 403: mayNot, 404: noAck, 501: notKept };
const organization = z.object({ org_id: organizationQuery });

/** Below `…/v2`. */
export function ackRoutes(sources: Sources): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/ack',
      summary: 'Rules that are acknowledged for the organization',
      query: z.object({
        ...pagedQuery,
        after: z.string().max(1_024).optional(),
        org_id: organizationQuery,
      }),
      answers: { 200: { description: 'A page of them, by rule.', schema: ackListSchema }, ...changes },
      async handle(call) {
        const { limit = pageRowsDefault, after, org_id: orgId } = call.query;
        const behind = after === undefined ? undefined : readRule(after);
        if (after !== undefined && behind === undefined) refuse(400, 'QUERY_INVALID', 'after: it names no rule');
        return await sources.read(async (tx, kept) => {
          requireAcknowledgements(kept.acknowledgements);
          const who = await visibleTo(call, { orgId }, { tx, kept });
          const listed = await listAcknowledged(tx, who.orgId, { after: behind, rowsMax: limit + 1 });
          const { rows, next } = pageOf(listed.map(shapeAck), limit, ({ rule }) => rule);
          return { status: 200, body: { meta: { count: rows.length, next }, data: rows } };
        });
      },
    }),
    route({
      method: 'POST',
      path: '/ack',
      summary: 'Acknowledges a rule for all clusters of the organization',
      query: organization,
      body: ackWantedSchema,
      answers: {
        200: { description: 'It was acknowledged before, and stays as it is.', schema: ackSchema },
        201: { description: 'It is acknowledged from now on.', schema: ackSchema },
        ...changes,
      },
      async handle(call) {
        const rule = parseSelector(call.body.rule_id);
        const key =
          rule?.errorKey ?? refuse(400, 'BODY_INVALID', 'rule_id: a rule and its key are named as module|KEY');
        const about = await ofOrganization(call, { ...rule!, errorKey: key }, sources);
        if (about.before !== undefined) return { status: 200, body: shapeAck(about.before) };
        return { status: 201, body: shapeAck(await acknowledge(call, about, call.body, sources)) };
      },
    }),
    route({
      method: 'GET',
      path: '/ack/{selector}',
      summary: 'How a rule is acknowledged for the organization',
      query: organization,
      answers: { 200: { description: 'The acknowledgement.', schema: ackSchema }, ...changes },
      async handle(call) {
        return await sources.read(async (tx, kept) => {
          requireAcknowledgements(kept.acknowledgements);
          const { orgId } = await visibleTo(call, { orgId: call.query.org_id }, { tx, kept });
          const found = await findAcknowledged(tx, { orgId, cluster: null, ...call.path.selector });
          return found === undefined ? notAcknowledged() : { status: 200, body: shapeAck(found) };
        });
      },
    }),
    route({
      method: 'PUT',
      path: '/ack/{selector}',
      summary: 'Changes why, and until when, a rule is acknowledged for the organization',
      query: organization,
      body: ackChangedSchema,
      answers: { 200: { description: 'As it is from now on.', schema: ackSchema }, ...changes },
      async handle(call) {
        const about = await ofOrganization(call, call.path.selector, sources);
        if (about.before === undefined) return notAcknowledged();
        return { status: 200, body: shapeAck(await acknowledge(call, about, call.body, sources)) };
      },
    }),
    route({
      method: 'DELETE',
      path: '/ack/{selector}',
      summary: 'Ends that a rule is acknowledged for the organization',
      query: organization,
      answers: { 204: { description: 'It is not acknowledged any more.' }, ...changes },
      async handle(call) {
        const { before } = await ofOrganization(call, call.path.selector, sources);
        if (before === undefined) return notAcknowledged();
        await end(call, before, sources);
        return { status: 204 };
      },
    }),
  ];
}

/** Below `…/v1`, where the hosted service still has them. */
export function toggleRoutes(sources: Sources, keptCounts: KeptCounts): readonly Route[] {
  const path = '/clusters/{cluster}/rules/{rule}/error_key/{errorKey}';
  return [
    route({
      method: 'PUT',
      path: `${path}/disable`,
      summary: 'Disables a rule for one cluster',
      body: ackChangedSchema,
      mayOmitBody: true,
      answers: { 200: { description: 'It is disabled.', schema: doneSchema }, ...changes },
      async handle(call) {
        const about = await ofOneCluster(call, sources);
        const isChange = Object.keys(call.body).length > 0;
        if (about.before === undefined || isChange) await acknowledge(call, about, call.body, sources);
        return { status: 200, body: { status: 'ok' } };
      },
    }),
    route({
      method: 'PUT',
      path: `${path}/enable`,
      summary: 'Enables a rule for one cluster again',
      answers: { 200: { description: 'It is not disabled for this cluster alone.', schema: doneSchema }, ...changes },
      async handle(call) {
        const { before } = await ofOneCluster(call, sources);
        if (before !== undefined) await end(call, before, sources);
        return { status: 200, body: { status: 'ok' } };
      },
    }),
    route({
      method: 'POST',
      path: `${path}/disable_feedback`,
      summary: 'Says why a rule is disabled for a cluster',
      body: disableFeedbackSchema,
      answers: { 200: { description: 'What was said.', schema: feedbackDoneSchema }, ...changes },
      async handle(call) {
        const about = await ofOneCluster(call, sources);
        if (about.before === undefined) return notAcknowledged();
        const { message } = call.body;
        await acknowledge(call, about, { justification: message }, sources);
        return { status: 200, body: { status: 'ok', message } };
      },
    }),
    route({
      method: 'GET',
      path: '/org_overview',
      summary: 'How many clusters have open issues, by risk and by tag',
      query: organization,
      answers: { 200: { description: 'The overview.', schema: orgOverviewSchema }, ...changes },
      async handle(call) {
        const content = await sources.content();
        const rules = overviewMarks(content);
        const { who, disabled } = await sources.read(async (tx, kept) => {
          requireKept(kept.issues, 'notifier');
          const seen = await visibleTo(call, { orgId: call.query.org_id }, { tx, kept });
          return { who: seen, disabled: await readDisabledOf(tx, seen.orgId) };
        });
        // What is acknowledged is part of it: so that an overview never stands behind that.
        const counts = await keptCounts.read(JSON.stringify([who, disabled, rules]), () =>
          sources.read((tx) => countClustersByMark(tx, who, { rules, disabled })),
        );
        return { status: 200, body: shapeOverview(counts, content) };
      },
    }),
  ];
}

interface About extends RuleKey {
  readonly orgId: number;
  readonly cluster: string | null;
  /** In force already. */
  readonly before: AcknowledgementInForce | undefined;
}

async function ofOrganization(
  call: Call<{ org_id?: number | undefined }>,
  selector: RuleKey,
  sources: Sources,
): Promise<About> {
  await knownRule(sources, selector);
  return await sources.read(async (tx, kept) => {
    requireAcknowledgements(kept.acknowledgements);
    const { orgId } = await visibleTo(call, { orgId: call.query.org_id }, { tx, kept });
    const decision = decideOrganizationChange(call.reader, orgId);
    if (!decision.allowed) return refuseChange(decision.reason);
    const about = { ...selector, orgId, cluster: null };
    return { ...about, before: await findAcknowledged(tx, about) };
  });
}

async function ofOneCluster(call: Call, sources: Sources): Promise<About> {
  const { rule, errorKey } = call.path;
  const selector = { component: rule.component, errorKey };
  return await onCluster(call, sources, async (tx, where: OfCluster, kept) => {
    requireAcknowledgements(kept.acknowledgements);
    const { cluster } = where;
    const decision = decideClusterChange(call.reader, { cluster, owner: await readOwner(tx, cluster, kept) });
    if (!decision.allowed)
      return decision.reason === 'no-write-scope' ? refuseChange(decision.reason) : clusterNotFound(cluster);
    await knownRule(sources, selector);
    const about = { ...selector, ...where };
    return { ...about, before: await findAcknowledged(tx, about) };
  });
}

/** What is not said stays as it was. */
async function acknowledge(
  call: Call,
  { before, ...about }: About,
  { justification, until, until_resolved: untilResolved }: AckChanged,
  { database }: Pick<Sources, 'database'>,
): Promise<AcknowledgementInForce> {
  const wanted = {
    ...about,
    until: until === undefined ? (before?.until ?? null) : until === null ? null : await readUntil(database, until),
    untilResolved: untilResolved ?? before?.untilResolved ?? false,
    justification: justification ?? before?.justification ?? '',
  };
  const { acknowledgement } = await addAcknowledgement(database, wanted, {
    byWhom: byWhomOf(call),
    at: await nowOf(database),
  });
  const { madeAt, until: endsAt } = acknowledgement;
  return { ...acknowledgement, madeAt: rfc3339(madeAt), endsAt: endsAt === null ? null : rfc3339(endsAt) };
}

async function end(call: Call, { id }: AcknowledgementInForce, { database }: Pick<Sources, 'database'>): Promise<void> {
  await removeAcknowledgement(database, id, { byWhom: byWhomOf(call), at: await nowOf(database) });
}

function byWhomOf({ reader, origin }: Call): ByWhom {
  return { actor: reader.who, origin };
}

/** Of a timestamp in UTC as PostgreSQL writes it. */
function rfc3339(timestamp: string): string {
  return `${timestamp.replace(' ', 'T')}Z`;
}

function requireAcknowledgements(areKept: boolean): void {
  if (!areKept) refuse(501, 'NOT_KEPT_HERE', 'acknowledgements are not kept here: ccx db init makes their table');
}

function notAcknowledged(): never {
  return refuse(404, 'ACK_NOT_FOUND', 'the rule is not acknowledged there');
}

function refuseChange(reason: string): never {
  if (reason === 'another-organization')
    return refuse(404, 'ORGANIZATION_NOT_FOUND', 'there is no such organization here');
  if (reason === 'only-single-clusters')
    return refuse(
      403,
      'SCOPE_MISSING',
      'this speaks for single clusters: it takes scope organization to acknowledge for all',
    );
  return refuse(403, 'SCOPE_MISSING', 'this only reads: it takes scope write to change something');
}
