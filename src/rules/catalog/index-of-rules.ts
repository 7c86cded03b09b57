/**
 * Every rule, those with a mark among them (`selectRules` says which run), in the order in which its findings are listed. Adding a rule: make its folder below `external/` or `internal/`
 * (rule, samples, texts) and name it here; `catalog.test.ts` says what is missing.
 */
import type { Rule } from '../engine/rule.ts';
import { azureSshNotWork } from './external/azure_ssh_not_work/rule.ts';
import { bug1766907 } from './external/bug_1766907/rule.ts';
import { bug1821905 } from './external/bug_1821905/rule.ts';
import { cve20208555Kubernetes } from './external/CVE_2020_8555_kubernetes/rule.ts';
import { cve202130465Runc } from './external/CVE_2021_30465_runc/rule.ts';
import { checkSapSdiObserverPods } from './external/check_sap_sdi_observer_pods/rule.ts';
import { checkSdiPreloadKernelModules } from './external/check_sdi_preload_kernel_modules/rule.ts';
import { clusterWideProxyAuthCheck } from './external/cluster_wide_proxy_auth_check/rule.ts';
import { cmoContainerRunAsNonRoot } from './external/cmo_container_run_as_non_root/rule.ts';
import { configBuildStrategyIncorrect } from './external/config_build_strategy_incorrect/rule.ts';
import { containerMaxRootPartitionSize } from './external/container_max_root_partition_size/rule.ts';
import { controlPlaneReplicas } from './external/control_plane_replicas/rule.ts';
import { csoDegradedDueToMissingPrivilege } from './external/cso_degraded_due_to_missing_privilege/rule.ts';
import { emptyPrometheusDbVolume } from './external/empty_prometheus_db_volume/rule.ts';
import { haproxyExporterServerThresholdExceeded } from './external/haproxy_exporter_server_threshold_exceeded/rule.ts';
import { imageRegistryMultipleStorageTypes } from './external/image_registry_multiple_storage_types/rule.ts';
import { imageRegistryStorage } from './external/image_registry_storage/rule.ts';
import { io415ChangeConfigLocation } from './external/io_415_change_config_location/rule.ts';
import { libBucketProvisionerCheck } from './external/lib_bucket_provisioner_check/rule.ts';
import { machineconfigStuckByNodeTaints } from './external/machineconfig_stuck_by_node_taints/rule.ts';
import { masterDefinedAsMachinesets } from './external/master_defined_as_machinesets/rule.ts';
import { mcpSetToPause } from './external/mcp_set_to_pause/rule.ts';
import { nodeInstallerDegraded } from './external/node_installer_degraded/rule.ts';
import { nodesContainerRuntimeVersionCheck } from './external/nodes_container_runtime_version_check/rule.ts';
import { nodesKubeletVersionCheck } from './external/nodes_kubelet_version_check/rule.ts';
import { nodesRequirementsCheck } from './external/nodes_requirements_check/rule.ts';
import { ocpVersionEndOfLife } from './external/ocp_version_end_of_life/rule.ts';
import { ocpVersionEndOfLifeEus } from './external/ocp_version_end_of_life_eus/rule.ts';
import { okdClusterUnsupported } from './external/okd_cluster_unsupported/rule.ts';
import { openshiftSdnEgressIpInMultipleHostsubnets } from './external/openshift_sdn_egress_ip_in_multiple_hostsubnets/rule.ts';
import { openshiftSdnEgressIpInNoHostsubnet } from './external/openshift_sdn_egress_ip_in_no_hostsubnet/rule.ts';
import { operatorUnmanaged } from './external/operator_unmanaged/rule.ts';
import { prometheusBackedByPvc } from './external/prometheus_backed_by_pvc/rule.ts';
import { prometheusRuleEvaluationFail } from './external/prometheus_rule_evaluation_fail/rule.ts';
import { pspInstalled } from './external/psp_installed/rule.ts';
import { sameEgressIpInMultipleNetnamespaces } from './external/same_egress_ip_in_multiple_netnamespaces/rule.ts';
import { samplesOpFailedImageImportCheck } from './external/samples_op_failed_image_import_check/rule.ts';
import { sapDataIntelligencePermissions } from './external/sap_data_intelligence_permissions/rule.ts';
import { sapSdiBackupNotEnabled } from './external/sap_sdi_backup_not_enabled/rule.ts';
import { tlsHandshakeFailsInAzure } from './external/tls_handshake_fails_in_azure/rule.ts';
import { tutorialRule } from './external/tutorial_rule/rule.ts';
import { unsupportedCniPlugin } from './external/unsupported_cni_plugin/rule.ts';
import { vsphereProblemDetectorControllerSyncerror } from './external/vsphere_problem_detector_controller_syncerror/rule.ts';
import { vsphereUpiMachineIsInPhase } from './external/vsphere_upi_machine_is_in_phase/rule.ts';
import { vsphereVmDiskEnableuuidNotSetToTrue } from './external/vsphere_vm_disk_enableuuid_not_set_to_true/rule.ts';
import { webhookTimeoutIsLargerThanDefault } from './external/webhook_timeout_is_larger_than_default/rule.ts';
import { cephClusterHealth } from './internal/ceph_cluster_health/rule.ts';
import { certificatesExpired } from './internal/certificates_expired/rule.ts';
import { etcdLowBackendPerformance } from './internal/etcd_low_backend_performance/rule.ts';
import { highSeverityAlerts } from './internal/high_severity_alerts/rule.ts';
import { machinePoolCheck } from './internal/machine_pool_check/rule.ts';
import { nodesNotReady } from './internal/nodes_not_ready/rule.ts';
import { nodesPressureCheck } from './internal/nodes_pressure_check/rule.ts';
import { operatorsCheck } from './internal/operators_check/rule.ts';
import { pdbBlocksDrain } from './internal/pdb_blocks_drain/rule.ts';
import { podsCrashLoop } from './internal/pods_crash_loop/rule.ts';
import { versionCheck } from './internal/version_check/rule.ts';
import { versionInfo } from './version_info/rule.ts';

export const allRules: readonly Rule[] = [
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
  versionInfo,
];
