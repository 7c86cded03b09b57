/** Whether an update of a cluster is advised against, and by what. Asked by ACM's console for its clusters, and by user interfaces for one. */
import { z } from 'zod';
import { refusalSchema, upgradePredictionSchema, upgradePredictionsSchema } from '../../../contracts/results-api.ts';
import { shapePrediction, shapeRecommendation } from '../answers/upgrade-risks.ts';
import type { ConditionSource } from '../risks/condition-source.ts';
import { readNewestRequest } from '../store/requests.ts';
import { type Call, type Route, refuse, route } from './route.ts';
import { onCluster, readableCluster, requireKept, type Sources } from './sources.ts';

/** As many as the hosted service takes. */
const clustersMax = 100;

const refused = (description: string) => ({ description, schema: refusalSchema });
const noSource = refused('No metrics are named, and there are no archives to read.');

export function riskRoutes(sources: Sources, conditions: ConditionSource | undefined): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/cluster/{cluster}/upgrade-risks-prediction',
      summary: 'Whether an update of a cluster is advised against, and by what',
      answers: {
        200: { description: 'The prediction.', schema: upgradePredictionSchema },
        404: refused('Nothing is known of alerts and operators of the cluster, or not for this reader.'),
        501: noSource,
      },
      async handle(call) {
        const source = requireSource(conditions);
        const { cluster } = call.path;
        await onCluster(call, sources, async () => undefined);
        const checked = (await readConditions(call, { sources, source, clusters: [cluster] })).get(cluster);
        if (checked === undefined)
          return refuse(404, 'CONDITIONS_NOT_FOUND', `nothing is known of alerts and operators of cluster ${cluster}`);
        const body = {
          ...{ status: 'ok', upgrade_recommendation: shapeRecommendation(checked) },
          meta: { last_checked_at: checked.checkedAt, source: source.name },
        };
        return { status: 200, body };
      },
    }),
    route({
      method: 'POST',
      path: '/upgrade-risks-prediction',
      summary: 'The same of up to a hundred clusters',
      body: z.object({ clusters: z.array(z.guid().toLowerCase()).min(1).max(clustersMax) }),
      answers: {
        200: { description: 'One for each, in the order of the question.', schema: upgradePredictionsSchema },
        501: noSource,
      },
      async handle(call) {
        const source = requireSource(conditions);
        const clusters = [...new Set(call.body.clusters)];
        const found = await readConditions(call, { sources, source, clusters });
        const predictions = clusters.map((cluster) => shapePrediction(cluster, found.get(cluster)));
        return { status: 200, body: { status: 'ok', predictions, meta: { source: source.name } } };
      },
    }),
  ];
}

function requireSource(conditions: ConditionSource | undefined): ConditionSource {
  return (
    conditions ??
    refuse(
      501,
      'CONDITIONS_NOT_HERE',
      'alerts and operators of clusters are not known here: risks.metrics_url names a Prometheus or Thanos that has them, and there are no archives beside this role',
    )
  );
}

interface Asked {
  readonly sources: Sources;
  readonly source: ConditionSource;
  readonly clusters: readonly string[];
}

/** Of those that the reader may read: the others are as if they were not there. */
async function readConditions({ reader }: Pick<Call, 'reader'>, { sources, source, clusters }: Asked) {
  const readable = await sources.read(async (tx, kept) => {
    requireKept(kept.reports, 'writer');
    const found = [];
    for (const cluster of clusters) found.push(await readableCluster(tx, { cluster, reader }, kept));
    return found.flatMap((where) => where ?? []);
  });
  const reports = () =>
    sources.read(async (tx, kept) => {
      requireKept(kept.facts, 'writer');
      const found = [];
      for (const where of readable) found.push(await readNewestRequest(tx, where));
      return found.flatMap((report) => report ?? []);
    });
  return await source.read(
    readable.map(({ cluster }) => cluster),
    reports,
  );
}
