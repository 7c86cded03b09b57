/** The samples of every rule, in the order of `allRules`. Used by the cluster simulator and the catalog's test. */
import { samples as controlPlaneReplicas } from './external/control_plane_replicas/samples.ts';
import { samples as haproxyExporterServerThresholdExceeded } from './external/haproxy_exporter_server_threshold_exceeded/samples.ts';
import { samples as imageRegistryStorage } from './external/image_registry_storage/samples.ts';
import { samples as mcpSetToPause } from './external/mcp_set_to_pause/samples.ts';
import { samples as nodesRequirementsCheck } from './external/nodes_requirements_check/samples.ts';
import { samples as ocpVersionEndOfLife } from './external/ocp_version_end_of_life/samples.ts';
import { samples as ocpVersionEndOfLifeEus } from './external/ocp_version_end_of_life_eus/samples.ts';
import { samples as openshiftSdnEgressIpInMultipleHostsubnets } from './external/openshift_sdn_egress_ip_in_multiple_hostsubnets/samples.ts';
import { samples as openshiftSdnEgressIpInNoHostsubnet } from './external/openshift_sdn_egress_ip_in_no_hostsubnet/samples.ts';
import { samples as operatorUnmanaged } from './external/operator_unmanaged/samples.ts';
import { samples as sameEgressIpInMultipleNetnamespaces } from './external/same_egress_ip_in_multiple_netnamespaces/samples.ts';
import { samples as tutorialRule } from './external/tutorial_rule/samples.ts';
import { samples as unsupportedCniPlugin } from './external/unsupported_cni_plugin/samples.ts';
import { samples as webhookTimeoutIsLargerThanDefault } from './external/webhook_timeout_is_larger_than_default/samples.ts';
import { samples as highSeverityAlerts } from './internal/high_severity_alerts/samples.ts';
import { samples as operatorsCheck } from './internal/operators_check/samples.ts';
import type { RuleSamples } from './sample.ts';

export const allSamples: readonly RuleSamples[] = [
  controlPlaneReplicas,
  haproxyExporterServerThresholdExceeded,
  imageRegistryStorage,
  mcpSetToPause,
  nodesRequirementsCheck,
  ocpVersionEndOfLife,
  ocpVersionEndOfLifeEus,
  openshiftSdnEgressIpInMultipleHostsubnets,
  openshiftSdnEgressIpInNoHostsubnet,
  operatorUnmanaged,
  sameEgressIpInMultipleNetnamespaces,
  tutorialRule,
  unsupportedCniPlugin,
  webhookTimeoutIsLargerThanDefault,
  highSeverityAlerts,
  operatorsCheck,
];
