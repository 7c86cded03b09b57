/** Made-up rule content of one rule, `test_rule`, for tests of the notification service that need no database. */
import type { RuleContentDirectory } from '../../src/contracts/rule-content.ts';

/** Impact and likelihood by error key of the one rule `test_rule`; tags by error key. */
export type Risks = Readonly<Record<string, { readonly risk: number; readonly tags?: readonly string[] }>>;

export const defaultRisks: Risks = {
  CRITICAL: { risk: 4, tags: ['openshift'] },
  IMPORTANT: { risk: 3, tags: ['openshift', 'osd_customer'] },
  MODERATE: { risk: 2, tags: ['openshift'] },
  LOW: { risk: 1, tags: [] },
};

export function contentOf(risks: Risks): RuleContentDirectory {
  const texts = { generic: '', summary: '', resolution: '', more_info: '', reason: '', HasReason: false };
  const errorKeys = Object.entries(risks).map(([key, { risk, tags = [] }]) => [
    key,
    {
      ...texts,
      total_risk: 0,
      metadata: {
        description: `about ${key}`,
        impact: { name: 'impact', impact: risk },
        likelihood: risk,
        publish_date: '2026-01-01 00:00:00',
        resolution_risk: 1,
        status: 'active',
        tags,
      },
    },
  ]);
  const plugin = {
    name: 'test',
    node_id: '',
    product_code: 'OCP4',
    python_module: 'ccx_rules_ocp.external.rules.test_rule',
  };
  return {
    config: { impact: {}, resolution_risk: {} },
    rules: { test_rule: { ...texts, plugin, error_keys: Object.fromEntries(errorKeys) } },
  };
}
