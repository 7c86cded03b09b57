/** Virtual machines of nodes hide the identifiers of their disks, so volumes cannot be found on them. Source: data-pipeline.md 7.5 (20). */
import { PLATFORM_VSPHERE } from '../../../engine/facts/platform.ts';
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';

const healthAlert = 'VSphereOpenshiftNodeHealthFail';
const diskCheck = 'CheckNodeDiskUUID';

export const vsphereVmDiskEnableuuidNotSetToTrue = defineRule({
  module: 'ccx_rules_ocp.external.rules.vsphere_vm_disk_enableuuid_not_set_to_true',
  errorKeys: ['VSPHERE_VM_DISK_ENABLEUUID_NOT_SET_TO_TRUE'],
  requires: ['infrastructure'],
  requiresAny: [['vsphereDetector', 'alerts']],
  links: {
    kcs: ['https://access.redhat.com/solutions/4606201', 'https://access.redhat.com/solutions/5200161'],
    jira: ['https://issues.redhat.com/browse/INSIGHTOCP-413'],
  },
  evaluate({ infrastructure, vsphereDetector, alerts = [] }) {
    if (infrastructure.platform !== PLATFORM_VSPHERE) return makeNone();
    const alerting = alerts.filter(
      ({ name, check, node }) => name === healthAlert && check === diskCheck && node !== '',
    );
    const nodes = [...(vsphereDetector?.nodesWithoutDiskUuid ?? []), ...alerting.map(({ node }) => node)];
    if (nodes.length === 0) return makeNone();
    return makeFail('VSPHERE_VM_DISK_ENABLEUUID_NOT_SET_TO_TRUE', { affected_nodes: [...new Set(nodes)].sort() });
  },
});
