/** A cluster with issues to tell about, for the tests of the delivery targets. */
import type { ErrorKeyContent, RuleContent } from '../../src/contracts/rule-content.ts';
import type { DueCluster, DueIssue } from '../../src/services/notification-service/ports.ts';

export const clusterId = '5d5892d3-1f74-4ccf-91af-548dfc9767aa';

export interface IssueTexts {
  readonly rule?: string;
  readonly errorKey?: string;
  readonly component?: string;
  /** Raw JSON. */
  readonly details?: string;
  readonly totalRisk?: number;
  readonly description?: string;
  readonly reason?: string;
  readonly summary?: string;
  readonly ruleName?: string;
}

export function dueIssue(texts: IssueTexts = {}): DueIssue {
  const rule = texts.rule ?? 'node_not_ready';
  const errorKey = texts.errorKey ?? 'NODE_NOT_READY';
  const content: ErrorKeyContent = {
    metadata: {
      description: texts.description ?? 'A node is not ready',
      impact: { name: 'Cluster Availability', impact: 3 },
      likelihood: 3,
      publish_date: '2026-01-01 00:00:00',
      resolution_risk: 1,
      status: 'active',
      tags: ['openshift'],
    },
    total_risk: 0,
    generic: 'Nodes may stop to be ready.',
    summary: texts.summary ?? '',
    resolution: 'Look at the kubelet.',
    more_info: '',
    reason: texts.reason ?? 'Node {{=pydata.node}} is not ready.\n',
    HasReason: true,
  };
  const ruleContent: RuleContent = {
    plugin: {
      name: texts.ruleName ?? 'Node not ready',
      node_id: '',
      product_code: 'OCP4',
      python_module: `ccx_rules_ocp.external.rules.${rule}`,
    },
    error_keys: { [errorKey]: content },
    generic: '',
    summary: '',
    resolution: '',
    more_info: '',
    reason: '',
    HasReason: false,
  };
  return {
    type: 'rule',
    component: texts.component ?? `ccx_rules_ocp.external.rules.${rule}.report`,
    errorKey,
    details: texts.details ?? '{"node":"worker-1","type":"rule","error_key":"NODE_NOT_READY"}',
    totalRisk: texts.totalRisk ?? 3,
    rule: ruleContent,
    content,
  };
}

export function dueCluster(issues: readonly DueIssue[] = [dueIssue()], change: Partial<DueCluster> = {}): DueCluster {
  return {
    orgId: 7654321,
    accountNumber: 0,
    cluster: clusterId,
    reportUpdatedAt: '2026-11-21 15:59:00.120000',
    requestId: 'request-1',
    issues,
    ...change,
  };
}
