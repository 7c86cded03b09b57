/** vCenter does not let the problem detector in, and so nothing else that has its account. Source: data-pipeline.md 7.5 (21). */
import { PLATFORM_VSPHERE } from '../../../engine/facts/platform.ts';
import type { Facts } from '../../../engine/facts.ts';
import { cutText, defineRule, makeFail, makeNone, messageCharactersMax } from '../../../engine/rule.ts';

/** The storage operator joins the reasons of its parts. */
const syncError = 'VSphereProblemDetectorController_SyncError';

export const vsphereProblemDetectorControllerSyncerror = defineRule({
  module: 'ccx_rules_ocp.external.rules.vsphere_problem_detector_controller_syncerror',
  errorKeys: ['VSPHERE_PROBLEM_DETECTOR_CONTROLLER_SYNCERROR'],
  requires: ['infrastructure'],
  requiresAny: [['vsphereDetector', 'clusterOperators']],
  links: {
    kcs: ['https://access.redhat.com/solutions/5926951', 'https://access.redhat.com/solutions/4618011'],
    jira: ['https://issues.redhat.com/browse/INSIGHTOCP-419'],
  },
  evaluate(facts) {
    if (facts.infrastructure.platform !== PLATFORM_VSPHERE) return makeNone();
    const message = facts.vsphereDetector?.loginFailure ?? messageOfOperator(facts);
    if (message === undefined) return makeNone();
    return makeFail('VSPHERE_PROBLEM_DETECTOR_CONTROLLER_SYNCERROR', {
      message: cutText(message, messageCharactersMax),
    });
  },
});

function messageOfOperator({ clusterOperators = [] }: Facts): string | undefined {
  const storage = clusterOperators.find(({ name }) => name === 'storage');
  if (storage === undefined) return undefined;
  const { degraded, upgradeable, available, progressing } = storage;
  const found = [degraded, upgradeable, available, progressing].find(({ reason }) => reason.includes(syncError));
  return found?.message || found?.reason;
}
