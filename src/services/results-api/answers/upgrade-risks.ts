/** Bodies about what speaks against an update. Pure. Source: the hosted service's smart proxy and ccx-upgrades-data-eng. */
import type { ClusterConditions } from '../../../contracts/cluster-conditions.ts';
import type { ClusterPrediction, UpgradeRecommendation } from '../../../contracts/results-api.ts';
import { decideUpgrade } from '../decide/upgrade-risks.ts';

interface Checked extends ClusterConditions {
  readonly consoleUrl: string;
  readonly checkedAt: string;
}

export function shapeRecommendation(checked: Checked): UpgradeRecommendation {
  const { isRecommended, alerts, operators } = decideUpgrade(checked);
  const inConsole = (path: string) => urlIn(checked.consoleUrl, path);
  return {
    upgrade_recommended: isRecommended,
    upgrade_risks_predictors: {
      alerts: alerts.map(({ name, namespace, severity }) => {
        const path = `/monitoring/alerts?orderBy=asc&sortBy=Severity&alert-name=${encodeURIComponent(name)}`;
        return { name, namespace, severity, url: inConsole(path) };
      }),
      operator_conditions: operators.map(({ name, condition, reason }) => {
        const path = `/k8s/cluster/config.openshift.io~v1~ClusterOperator/${encodeURIComponent(name)}`;
        return { name, condition, reason, url: inConsole(path) };
      }),
    },
  };
}

/** Undefined: nothing is known of the cluster, or not for this reader. */
export function shapePrediction(cluster: string, checked: Checked | undefined): ClusterPrediction {
  if (checked === undefined)
    return {
      ...{ cluster_id: cluster, prediction_status: 'No data for the cluster' },
      ...{ upgrade_recommended: null, upgrade_risks_predictors: null, last_checked_at: null },
    };
  return {
    ...{ cluster_id: cluster, prediction_status: 'ok', ...shapeRecommendation(checked) },
    last_checked_at: checked.checkedAt,
  };
}

/** Empty where it is not known where the console is; what a cluster says of that is nothing to run. */
function urlIn(consoleUrl: string, path: string): string {
  const base = URL.parse(consoleUrl);
  return base !== null && ['http:', 'https:'].includes(base.protocol) ? new URL(path, base).href : '';
}
