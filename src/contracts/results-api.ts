/**
 * Bodies of the read API, with the names of the hosted results service, whose clients are asked to notice no difference.
 * Produced by: results API → consumed by: Insights Operator (`reports`, `request/…`), ACM's insights-client (`reports`), user interfaces.
 * What the hosted one leaves open, and pages, are ours: `meta.next`, `until`, `code`. Sources: ingress.md B.6, read-api.md.
 */
import { z } from 'zod';

const ok = z.literal('ok');
/** RFC 3339, UTC. */
const moment = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/);
/** Of any version, and of none. */
const cluster = z.guid();
const risk = z.int().min(0).max(4);
const counts = z.int().min(0);
/** `module|KEY`. */
const selector = z.string().min(1);
/** What the next page begins behind, for the parameter `after`; null: there is none. */
const next = z.string().nullable();
const managed = z.literal(false);

/** Every refusal: words for people, and a code that stays. */
export const refusalSchema = z.strictObject({ status: z.string().min(1), code: z.string().regex(/^[A-Z][A-Z0-9_]+$/) });

const hit = z.strictObject({
  /** With `.report`. */
  rule_id: z.string(),
  /** When the issue was first seen. */
  created_at: moment,
  description: z.string(),
  details: z.string(),
  reason: z.string(),
  resolution: z.string(),
  more_info: z.string(),
  total_risk: risk,
  risk_of_change: z.int().min(0),
  disabled: z.boolean(),
  disable_feedback: z.string(),
  /** Empty while it is not disabled. */
  disabled_at: z.union([moment, z.literal('')]),
  internal: z.boolean(),
  user_vote: z.literal(0),
  /** What the texts' templates are filled with; the operator leaves a rule out that has no `error_key` here. */
  extra_data: z.looseObject({ error_key: z.string() }),
  tags: z.array(z.string()),
  /** As `created_at`, where ACM looks for it. */
  impacted: moment,
});

export const clusterReportSchema = z.strictObject({
  status: ok,
  report: z.strictObject({
    meta: z.strictObject({
      cluster_name: z.string(),
      managed,
      /** Of rules that are shown, and of those without texts beside them. */
      count: counts,
      last_checked_at: moment,
      /** Absent where the message did not say. */
      gathered_at: moment.optional(),
    }),
    data: z.array(hit),
  }),
});

/**
 * `processed`: its report is there. `superseded`: a newer report of the cluster took its place, and its own is deleted. `dead-lettered`: it
 * went no further, `detail` says why. `processing`: not yet.
 */
const requestState = z.enum(['processed', 'superseded', 'dead-lettered', 'processing']);

export const requestStatusSchema = z.strictObject({
  cluster,
  requestID: z.string(),
  status: requestState,
  detail: z.string().optional(),
  /** The request whose report is the newest now; absent while this one's is. */
  superseded_by: z.string().optional(),
});

export const requestReportSchema = z.strictObject({
  cluster,
  requestID: z.string(),
  status: z.literal('processed'),
  report: z.array(
    z.strictObject({
      rule_fqdn: z.string(),
      error_key: z.string(),
      description: z.string(),
      total_risk: risk,
    }),
  ),
});

export const requestListSchema = z.strictObject({
  cluster,
  status: ok,
  requests: z.array(
    z.strictObject({
      requestID: z.string(),
      valid: z.boolean(),
      /** These two of valid ones only. */
      received: moment.optional(),
      processed: moment.optional(),
    }),
  ),
  meta: z.strictObject({ count: counts, next }),
});

export const clusterListSchema = z.strictObject({
  status: ok,
  /** `count`: of all pages. */
  meta: z.strictObject({ count: counts, next }),
  data: z.array(
    z.strictObject({
      cluster_id: cluster,
      cluster_name: z.string(),
      managed,
      last_checked_at: moment,
      /** Without those that are disabled. */
      total_hit_count: counts,
      hits_by_total_risk: z.strictObject({ '1': counts, '2': counts, '3': counts, '4': counts }),
      cluster_version: z.string().optional(),
    }),
  ),
});

export const clusterInfoSchema = z.strictObject({
  status: ok,
  cluster: z.strictObject({
    cluster_id: cluster,
    display_name: z.string(),
    managed,
    status: z.enum(['Active', 'Stale', 'Archived']),
  }),
});

const ruleFacts = {
  rule_id: selector,
  description: z.string(),
  generic: z.string(),
  publish_date: z.string(),
  total_risk: risk,
  impact: risk,
  likelihood: risk,
  tags: z.array(z.string()),
  risk_of_change: z.int().min(0),
  /** The same under the name of the hosted documentation. */
  resolution_risk: z.int().min(0),
} as const;

const ruleTexts = { reason: z.string(), resolution: z.string(), more_info: z.string() } as const;

export const ruleListSchema = z.strictObject({
  status: ok,
  meta: z.strictObject({ count: counts, next }),
  recommendations: z.array(
    z.strictObject({
      ...ruleFacts,
      /** For the whole organization. */
      disabled: z.boolean(),
      /** Without clusters that it is disabled for. */
      impacted_clusters_count: counts,
    }),
  ),
});

const group = z.strictObject({ title: z.string(), description: z.string(), tags: z.array(z.string()) });

export const ruleContentSchema = z.strictObject({
  status: ok,
  groups: z.array(group),
  content: z.strictObject({ ...ruleFacts, ...ruleTexts }),
});

export const ruleOfReaderSchema = z.strictObject({
  status: ok,
  groups: z.array(group),
  content: z.strictObject({
    ...ruleFacts,
    ...ruleTexts,
    rating: z.literal(0),
    hosts_acked_count: z.literal(0),
    disabled: z.boolean(),
  }),
});

const texts = {
  generic: z.string(),
  summary: z.string(),
  resolution: z.string(),
  more_info: z.string(),
  reason: z.string(),
  HasReason: z.boolean(),
} as const;

export const allContentSchema = z.strictObject({
  status: ok,
  groups: z.array(group),
  content: z.array(
    z.strictObject({
      ...texts,
      plugin: z.strictObject({
        name: z.string(),
        node_id: z.string(),
        product_code: z.string(),
        python_module: z.string(),
      }),
      error_keys: z.record(
        z.string(),
        z.strictObject({
          ...texts,
          total_risk: risk,
          metadata: z.strictObject({
            description: z.string(),
            impact: risk,
            likelihood: risk,
            publish_date: z.string(),
            resolution_risk: z.int().min(0),
            status: z.string(),
            tags: z.array(z.string()),
          }),
        }),
      ),
    }),
  ),
});

export const ruleClustersSchema = z.strictObject({
  status: ok,
  /** `count`: of the clusters on this page, with and without. */
  meta: z.strictObject({ count: counts, next }),
  data: z.strictObject({
    enabled: z.array(
      z.strictObject({
        cluster,
        cluster_name: z.string(),
        last_checked_at: moment,
        impacted: moment,
        meta: z.strictObject({ cluster_version: z.string() }),
      }),
    ),
    disabled: z.array(
      z.strictObject({
        cluster_id: cluster,
        cluster_name: z.string(),
        disabled_at: moment,
        justification: z.string(),
      }),
    ),
  }),
});

export const ruleGroupsSchema = z.strictObject({ status: ok, groups: z.array(group) });

const untilFields = {
  /** When it ends; absent or null: not by date. */
  until: z.union([z.iso.datetime({ offset: true }), z.iso.date()]).nullish(),
  /** It ends when what it silences is resolved. */
  until_resolved: z.boolean().optional(),
} as const;

const justification = z.string().max(4_096);

export const ackWantedSchema = z.object({
  rule_id: z.string(),
  justification: justification.optional(),
  ...untilFields,
});

export const ackChangedSchema = z.object({ justification: justification.optional(), ...untilFields });

/** The message has the place of a justification that came later. */
export const disableFeedbackSchema = z.object({ message: justification });

const ack = {
  /** Without a key where a person disabled the whole rule. */
  rule: selector,
  justification: z.string(),
  created_by: z.string(),
  created_at: moment,
  /** Not kept: `ccx audit list` has every change. */
  updated_at: z.literal(''),
  until: moment.nullable(),
  until_resolved: z.boolean(),
} as const;

export const ackSchema = z.strictObject(ack);

export const ackListSchema = z.strictObject({
  meta: z.strictObject({ count: counts, next }),
  data: z.array(ackSchema),
});

export const doneSchema = z.strictObject({ status: ok });

export const feedbackDoneSchema = z.strictObject({ status: ok, message: z.string() });

/** Clusters with an open issue that is not disabled: all, by its risk, by each of its tags. */
export const orgOverviewSchema = z.strictObject({
  status: ok,
  overview: z.strictObject({
    clusters_hit: counts,
    hit_by_risk: z.strictObject({ '1': counts, '2': counts, '3': counts, '4': counts }),
    hit_by_tag: z.record(z.string(), counts),
  }),
});

/** What speaks against an update. `url`: in the cluster's console; empty where nobody knows where that is. */
const predictors = z.strictObject({
  alerts: z.array(z.strictObject({ name: z.string(), namespace: z.string(), severity: z.string(), url: z.string() })),
  operator_conditions: z.array(
    z.strictObject({
      name: z.string(),
      condition: z.enum(['Not Available', 'Degraded']),
      reason: z.string(),
      url: z.string(),
    }),
  ),
});

/** Where alerts and operators were read. */
const conditionSource = z.enum(['metrics', 'archive']);

const recommendation = z.strictObject({ upgrade_recommended: z.boolean(), upgrade_risks_predictors: predictors });

export const upgradePredictionSchema = z.strictObject({
  status: ok,
  upgrade_recommendation: recommendation,
  /** `last_checked_at`: of an archive, when it was gathered. */
  meta: z.strictObject({ last_checked_at: moment, source: conditionSource }),
});

/** All null where nothing is known of the cluster. */
const clusterPrediction = z.strictObject({
  cluster_id: cluster,
  prediction_status: z.enum(['ok', 'No data for the cluster']),
  upgrade_recommended: z.boolean().nullable(),
  upgrade_risks_predictors: predictors.nullable(),
  last_checked_at: moment.nullable(),
});

export const upgradePredictionsSchema = z.strictObject({
  status: ok,
  predictions: z.array(clusterPrediction),
  meta: z.strictObject({ source: conditionSource }),
});

/** Under the hosted service's name for what answers here. */
export const apiInfoSchema = z.strictObject({
  status: ok,
  info: z.strictObject({ SmartProxy: z.strictObject({ BuildVersion: z.string() }) }),
});

export const apiDescriptionSchema = z.looseObject({ openapi: z.string(), paths: z.record(z.string(), z.unknown()) });

export type Ack = z.infer<typeof ackSchema>;
export type AckChanged = z.infer<typeof ackChangedSchema>;
export type UpgradeRecommendation = z.infer<typeof recommendation>;
export type ClusterPrediction = z.infer<typeof clusterPrediction>;
export type OrgOverview = z.infer<typeof orgOverviewSchema>;
export type ClusterReport = z.infer<typeof clusterReportSchema>;
export type RequestReport = z.infer<typeof requestReportSchema>;
export type RequestList = z.infer<typeof requestListSchema>;
export type ClusterList = z.infer<typeof clusterListSchema>;
export type ClusterInfo = z.infer<typeof clusterInfoSchema>;
export type RuleList = z.infer<typeof ruleListSchema>;
export type AllContent = z.infer<typeof allContentSchema>;
export type RuleClusters = z.infer<typeof ruleClustersSchema>;
