/** What operators and ACM read: a cluster's newest report, and in job mode the requests and their reports. Source: ingress.md B.6. */
import { z } from 'zod';
import {
  clusterReportSchema,
  refusalSchema,
  requestListSchema,
  requestReportSchema,
  requestStatusSchema,
} from '../../../contracts/results-api.ts';
import type { Connection } from '../../../platform/database/database.ts';
import { readTrace, requestIdSpellings } from '../../../platform/records/trace-log.ts';
import { shapeClusterReport, shapeRequestReport } from '../answers/cluster-report.ts';
import { pageOf, shapeAskedRequests, shapeRequestList } from '../answers/lists.ts';
import { readHits } from '../answers/stored-hits.ts';
import type { Kept } from '../decide/kept.ts';
import { decideRequest, isTraceOf } from '../decide/request-status.ts';
import { type OfCluster, readCluster, readDisabled, readFirstSeen, readNewestReport } from '../store/reports.ts';
import { findRequests, listRequests, readRequest } from '../store/requests.ts';
import { flag, pagedQuery, pageRowsDefault, type Route, refuse, route } from './route.ts';
import { clusterNotFound, onCluster, requireKept, type Sources } from './sources.ts';

/** Request ids that are asked for at once. */
const askedRequestsMax = 500;
const askedCharactersMax = 255;

/** As pages name it: a moment of PostgreSQL, to the microsecond. The year 0 is none. */
const afterMoment = z
  .string()
  .regex(/^(?!0000)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z$/)
  .pipe(z.iso.datetime());

const noCluster = { description: 'There is no report of the cluster, or not for this reader.', schema: refusalSchema };
const noRequest = {
  description: 'Nothing is known of the request, it is another cluster’s, or requests are not kept here.',
  schema: refusalSchema,
};
const noRows = { description: 'The role that keeps this is missing.', schema: refusalSchema };

export function reportRoutes(sources: Sources): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/cluster/{cluster}/reports',
      summary: 'The newest report of a cluster, with the texts of its rules',
      query: z.object({ get_disabled: flag.optional() }),
      answers: { 200: { description: 'The report.', schema: clusterReportSchema }, 404: noCluster, 501: noRows },
      async handle(call) {
        const content = await sources.content();
        return await onCluster(call, sources, async (tx, where, kept) => {
          const report = await readNewestReport(tx, where, kept);
          if (report === undefined) return clusterNotFound(where.cluster);
          const hits = hitsOf(report.text);
          const body = shapeClusterReport({
            ...report,
            ...{ hits, content, withDisabled: call.query.get_disabled === true },
            cluster: { id: where.cluster, name: await nameOf(tx, where, kept) },
            firstSeen: await readFirstSeen(tx, where, kept),
            disabled: await readDisabled(tx, where, kept),
          });
          return { status: 200, body };
        });
      },
    }),
    route({
      method: 'GET',
      path: '/cluster/{cluster}/request/{requestId}/status',
      summary: 'What became of an upload: processed, superseded, dead-lettered, or not yet',
      answers: { 200: { description: 'Its status.', schema: requestStatusSchema }, 404: noRequest, 501: noRows },
      async handle(call) {
        return await onCluster(call, sources, async (tx, where, kept) => {
          requireKept(kept.facts, 'writer', 404);
          const { requestId } = call.path;
          const stored = await readRequest(tx, { ...where, requestId });
          const trace = stored === undefined && kept.trace ? await readTrace(tx, requestId) : [];
          const decision = decideRequest(stored, isTraceOf(where, trace) ? trace : []);
          if (decision.status === 'unknown') {
            if (!kept.trace) requireKept(kept.trace, 'tracker', 404);
            return requestNotFound(requestId);
          }
          const body = { cluster: where.cluster, requestID: requestId, status: decision.status };
          if ('detail' in decision) return { status: 200, body: { ...body, detail: decision.detail } };
          const { supersededBy } = decision;
          return { status: 200, body: supersededBy === undefined ? body : { ...body, superseded_by: supersededBy } };
        });
      },
    }),
    route({
      method: 'GET',
      path: '/cluster/{cluster}/request/{requestId}/report',
      summary: 'The report of one upload in short, without what is disabled',
      answers: { 200: { description: 'The report.', schema: requestReportSchema }, 404: noRequest, 501: noRows },
      async handle(call) {
        const content = await sources.content();
        return await onCluster(call, sources, async (tx, where, kept) => {
          requireKept(kept.facts, 'writer', 404);
          const { requestId } = call.path;
          const stored = await readRequest(tx, { ...where, requestId });
          if (stored?.hasReport !== true) return requestNotFound(requestId);
          const disabled = await readDisabled(tx, where, kept);
          const facts = { hits: hitsOf(stored.text), disabled, content };
          return { status: 200, body: shapeRequestReport({ cluster: where.cluster, requestId }, facts) };
        });
      },
    }),
    route({
      method: 'GET',
      path: '/cluster/{cluster}/requests',
      summary: 'The uploads of a cluster whose reports are kept, newest first',
      query: z.object({ ...pagedQuery, after: afterMoment.optional() }),
      answers: { 200: { description: 'A page of them.', schema: requestListSchema }, 404: noRequest, 501: noRows },
      async handle(call) {
        const { limit = pageRowsDefault, after: before } = call.query;
        return await onCluster(call, sources, async (tx, where, kept) => {
          requireKept(kept.facts, 'writer', 404);
          const listed = await listRequests(tx, where, { before, rowsMax: limit + 1 });
          const { rows, next } = pageOf(listed, limit, ({ processedAt }) => processedAt);
          return { status: 200, body: shapeRequestList(where.cluster, rows, next) };
        });
      },
    }),
    route({
      method: 'POST',
      path: '/cluster/{cluster}/requests',
      summary: 'Which of these uploads are known, and since when',
      body: z.array(z.string().min(1).max(askedCharactersMax)).max(askedRequestsMax),
      answers: { 200: { description: 'Each of them.', schema: requestListSchema }, 404: noRequest, 501: noRows },
      async handle(call) {
        return await onCluster(call, sources, async (tx, where, kept) => {
          requireKept(kept.facts, 'writer', 404);
          const rows = await findRequests(tx, where, call.body);
          return { status: 200, body: shapeAskedRequests(where.cluster, call.body, rows, requestIdSpellings) };
        });
      },
    }),
  ];
}

async function nameOf(tx: Connection, where: OfCluster, kept: Kept): Promise<string | null> {
  return kept.issues ? ((await readCluster(tx, where))?.name ?? null) : null;
}

/** 404, so that an operator asks again: its next report may be another. */
function hitsOf(text: string | undefined) {
  const hits = text === undefined ? undefined : readHits(text);
  return hits ?? refuse(404, 'REPORT_UNREADABLE', 'the stored report cannot be read');
}

function requestNotFound(requestId: string): never {
  return refuse(404, 'REQUEST_NOT_FOUND', `nothing is known of request ${requestId}`);
}
