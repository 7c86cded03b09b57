/**
 * What the Insights Operator is told to gather besides what it always gathers: logs while an alert fires, and lines of containers' logs.
 * Checked here as the operator checks it, and for what it finds out only when it gathers: a document that it refuses costs every cluster
 * that reads it its remote configuration. Served to: operator from 4.17 (`v2`), older ones the rules alone. Source: ingress.md B.5.
 */
import { isDeepStrictEqual } from 'node:util';
import { RE2JS } from 're2js';
import { z } from 'zod';

const gatheredNamespace = z.string().regex(/^openshift-[a-zA-Z0-9_.-]{1,128}$/, 'must be a namespace openshift-…');
const loggedNamespace = z
  .string()
  .regex(/^(?:openshift|kube)-[a-zA-Z0-9_.-]{1,128}$/, 'must be a namespace openshift-… or kube-…');
const alertName = z.string().regex(/^[a-zA-Z0-9_]{1,128}$/, 'must be the name of an alert');
const tailLines = z.int().min(1).max(4_096);
/** Each is compiled by the operator for each pod that it looks at. */
const pattern = z
  .string()
  .min(1)
  .max(1_024)
  .refine(isGoPattern, 'must be a regular expression of Go: without look-around and back-references');

const conditionSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('alert_is_firing'), alert: z.strictObject({ name: alertName }) }),
  z.strictObject({
    type: z.literal('cluster_version_matches'),
    cluster_version_matches: z.strictObject({ version: z.string().min(1).max(64) }),
  }),
]);

/** `cr_definition`, and the prefix of `pod_definition`, are known to the newest operators only. */
const functionsSchema = z
  .strictObject({
    logs_of_namespace: z.strictObject({ namespace: gatheredNamespace, tail_lines: tailLines }).optional(),
    image_streams_of_namespace: z.strictObject({ namespace: gatheredNamespace }).optional(),
    api_request_counts_of_resource_from_alert: z.strictObject({ alert_name: alertName }).optional(),
    containers_logs: z
      .strictObject({
        alert_name: alertName,
        namespace: gatheredNamespace.optional(),
        container: z
          .string()
          .regex(/^[a-zA-Z0-9_.-]{1,128}$/)
          .optional(),
        tail_lines: tailLines,
        previous: z.boolean().optional(),
      })
      .optional(),
    pod_definition: z
      .strictObject({
        alert_name: alertName,
        pod_prefix: z
          .string()
          .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/)
          .optional(),
      })
      .optional(),
    cr_definition: z
      .strictObject({
        alert_name: alertName,
        group: z.string().regex(/^[a-zA-Z0-9._-]{1,253}$/),
        version: z.string().regex(/^[a-zA-Z0-9]{1,16}$/),
        resource: z.string().regex(/^[a-z0-9]{1,64}$/),
      })
      .optional(),
  })
  .refine((functions) => Object.keys(functions).length > 0, 'must have at least one function');

const ruleSchema = z.strictObject({
  conditions: z.array(conditionSchema).max(8).refine(areUnique, 'has one condition twice'),
  gathering_functions: functionsSchema,
});

const logRequestSchema = z.strictObject({
  namespace: loggedNamespace,
  pod_name_regex: pattern,
  /** Of none the operator makes an error, in each gathering. */
  messages: z.array(pattern).min(1),
  previous: z.boolean().optional(),
});

export const gatheringDocumentSchema = z.strictObject({
  version: z.string().min(1).max(128),
  conditional_gathering_rules: z.array(ruleSchema).min(1).max(64).refine(areUnique, 'has one rule twice'),
  container_logs: z.array(logRequestSchema),
});

export type GatheringDocument = z.infer<typeof gatheringDocumentSchema>;

/** What operators before 4.17 read. */
export const oldGatheringDocumentSchema = z.object({ version: z.string(), rules: z.array(ruleSchema) });

function areUnique(list: readonly unknown[]): boolean {
  return list.every((one, index) => !list.slice(0, index).some((other) => isDeepStrictEqual(one, other)));
}

/** By Go's own syntax: what only our engine knows, look-around and back-references, ends a gathering step there. */
function isGoPattern(text: string): boolean {
  try {
    RE2JS.compile(text);
    return true;
  } catch {
    return false;
  }
}
