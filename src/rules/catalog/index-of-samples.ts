/** The samples of every rule, in the order of `allRules`. Used by the cluster simulator and the catalog's test. */

import { samples as azureSshNotWork } from './external/azure_ssh_not_work/samples.ts';
import { samples as bug1766907 } from './external/bug_1766907/samples.ts';
import { samples as bug1821905 } from './external/bug_1821905/samples.ts';
import { samples as cve20208555Kubernetes } from './external/CVE_2020_8555_kubernetes/samples.ts';
import { samples as cve202130465Runc } from './external/CVE_2021_30465_runc/samples.ts';
import { samples as checkSapSdiObserverPods } from './external/check_sap_sdi_observer_pods/samples.ts';
import { samples as checkSdiPreloadKernelModules } from './external/check_sdi_preload_kernel_modules/samples.ts';
import { samples as clusterWideProxyAuthCheck } from './external/cluster_wide_proxy_auth_check/samples.ts';
import { samples as cmoContainerRunAsNonRoot } from './external/cmo_container_run_as_non_root/samples.ts';
import { samples as configBuildStrategyIncorrect } from './external/config_build_strategy_incorrect/samples.ts';
import { samples as containerMaxRootPartitionSize } from './external/container_max_root_partition_size/samples.ts';
import { samples as controlPlaneReplicas } from './external/control_plane_replicas/samples.ts';
import { samples as csoDegradedDueToMissingPrivilege } from './external/cso_degraded_due_to_missing_privilege/samples.ts';
import { samples as emptyPrometheusDbVolume } from './external/empty_prometheus_db_volume/samples.ts';
import { samples as haproxyExporterServerThresholdExceeded } from './external/haproxy_exporter_server_threshold_exceeded/samples.ts';
import { samples as imageRegistryMultipleStorageTypes } from './external/image_registry_multiple_storage_types/samples.ts';
import { samples as imageRegistryStorage } from './external/image_registry_storage/samples.ts';
import { samples as io415ChangeConfigLocation } from './external/io_415_change_config_location/samples.ts';
import { samples as libBucketProvisionerCheck } from './external/lib_bucket_provisioner_check/samples.ts';
import { samples as machineconfigStuckByNodeTaints } from './external/machineconfig_stuck_by_node_taints/samples.ts';
import { samples as masterDefinedAsMachinesets } from './external/master_defined_as_machinesets/samples.ts';
import { samples as mcpSetToPause } from './external/mcp_set_to_pause/samples.ts';
import { samples as nodeInstallerDegraded } from './external/node_installer_degraded/samples.ts';
import { samples as nodesContainerRuntimeVersionCheck } from './external/nodes_container_runtime_version_check/samples.ts';
import { samples as nodesKubeletVersionCheck } from './external/nodes_kubelet_version_check/samples.ts';
import { samples as nodesRequirementsCheck } from './external/nodes_requirements_check/samples.ts';
import { samples as ocpVersionEndOfLife } from './external/ocp_version_end_of_life/samples.ts';
import { samples as ocpVersionEndOfLifeEus } from './external/ocp_version_end_of_life_eus/samples.ts';
import { samples as okdClusterUnsupported } from './external/okd_cluster_unsupported/samples.ts';
import { samples as openshiftSdnEgressIpInMultipleHostsubnets } from './external/openshift_sdn_egress_ip_in_multiple_hostsubnets/samples.ts';
import { samples as openshiftSdnEgressIpInNoHostsubnet } from './external/openshift_sdn_egress_ip_in_no_hostsubnet/samples.ts';
import { samples as operatorUnmanaged } from './external/operator_unmanaged/samples.ts';
import { samples as prometheusBackedByPvc } from './external/prometheus_backed_by_pvc/samples.ts';
import { samples as prometheusRuleEvaluationFail } from './external/prometheus_rule_evaluation_fail/samples.ts';
import { samples as pspInstalled } from './external/psp_installed/samples.ts';
import { samples as sameEgressIpInMultipleNetnamespaces } from './external/same_egress_ip_in_multiple_netnamespaces/samples.ts';
import { samples as samplesOpFailedImageImportCheck } from './external/samples_op_failed_image_import_check/samples.ts';
import { samples as sapDataIntelligencePermissions } from './external/sap_data_intelligence_permissions/samples.ts';
import { samples as sapSdiBackupNotEnabled } from './external/sap_sdi_backup_not_enabled/samples.ts';
import { samples as tlsHandshakeFailsInAzure } from './external/tls_handshake_fails_in_azure/samples.ts';
import { samples as tutorialRule } from './external/tutorial_rule/samples.ts';
import { samples as unsupportedCniPlugin } from './external/unsupported_cni_plugin/samples.ts';
import { samples as vsphereProblemDetectorControllerSyncerror } from './external/vsphere_problem_detector_controller_syncerror/samples.ts';
import { samples as vsphereUpiMachineIsInPhase } from './external/vsphere_upi_machine_is_in_phase/samples.ts';
import { samples as vsphereVmDiskEnableuuidNotSetToTrue } from './external/vsphere_vm_disk_enableuuid_not_set_to_true/samples.ts';
import { samples as webhookTimeoutIsLargerThanDefault } from './external/webhook_timeout_is_larger_than_default/samples.ts';
import { samples as cephClusterHealth } from './internal/ceph_cluster_health/samples.ts';
import { samples as certificatesExpired } from './internal/certificates_expired/samples.ts';
import { samples as etcdLowBackendPerformance } from './internal/etcd_low_backend_performance/samples.ts';
import { samples as highSeverityAlerts } from './internal/high_severity_alerts/samples.ts';
import { samples as machinePoolCheck } from './internal/machine_pool_check/samples.ts';
import { samples as nodesNotReady } from './internal/nodes_not_ready/samples.ts';
import { samples as nodesPressureCheck } from './internal/nodes_pressure_check/samples.ts';
import { samples as operatorsCheck } from './internal/operators_check/samples.ts';
import { samples as pdbBlocksDrain } from './internal/pdb_blocks_drain/samples.ts';
import { samples as podsCrashLoop } from './internal/pods_crash_loop/samples.ts';
import { samples as versionCheck } from './internal/version_check/samples.ts';
import type { RuleSamples } from './sample.ts';

export const allSamples: readonly RuleSamples[] = [
  cve20208555Kubernetes,
  cve202130465Runc,
  azureSshNotWork,
  bug1766907,
  bug1821905,
  checkSapSdiObserverPods,
  checkSdiPreloadKernelModules,
  clusterWideProxyAuthCheck,
  cmoContainerRunAsNonRoot,
  configBuildStrategyIncorrect,
  containerMaxRootPartitionSize,
  controlPlaneReplicas,
  csoDegradedDueToMissingPrivilege,
  emptyPrometheusDbVolume,
  haproxyExporterServerThresholdExceeded,
  imageRegistryMultipleStorageTypes,
  imageRegistryStorage,
  io415ChangeConfigLocation,
  libBucketProvisionerCheck,
  machineconfigStuckByNodeTaints,
  masterDefinedAsMachinesets,
  mcpSetToPause,
  nodeInstallerDegraded,
  nodesContainerRuntimeVersionCheck,
  nodesKubeletVersionCheck,
  nodesRequirementsCheck,
  ocpVersionEndOfLife,
  ocpVersionEndOfLifeEus,
  okdClusterUnsupported,
  openshiftSdnEgressIpInMultipleHostsubnets,
  openshiftSdnEgressIpInNoHostsubnet,
  operatorUnmanaged,
  prometheusBackedByPvc,
  prometheusRuleEvaluationFail,
  pspInstalled,
  sameEgressIpInMultipleNetnamespaces,
  samplesOpFailedImageImportCheck,
  sapDataIntelligencePermissions,
  sapSdiBackupNotEnabled,
  tlsHandshakeFailsInAzure,
  tutorialRule,
  unsupportedCniPlugin,
  vsphereProblemDetectorControllerSyncerror,
  vsphereUpiMachineIsInPhase,
  vsphereVmDiskEnableuuidNotSetToTrue,
  webhookTimeoutIsLargerThanDefault,
  cephClusterHealth,
  certificatesExpired,
  etcdLowBackendPerformance,
  highSeverityAlerts,
  machinePoolCheck,
  nodesNotReady,
  nodesPressureCheck,
  operatorsCheck,
  pdbBlocksDrain,
  podsCrashLoop,
  versionCheck,
];
