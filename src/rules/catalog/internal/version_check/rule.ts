/**
 * The cluster version operator fails, or has been working towards a version for longer than that takes. Source: data-pipeline.md 7.3, 7.5
 * (generic checks). The hosted rule's member `phased_gates_checks` is left out: nothing public says what is in it.
 */
import { hasLasted, timeOf } from '../../../engine/archive-time.ts';
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';
import { briefCondition } from '../../brief-conditions.ts';

/** An update of the control plane takes one to two hours; pools of nodes go on behind it and are not counted. */
const progressMsMax = 6 * 3_600_000;

export const versionCheck = defineRule({
  module: 'ccx_rules_ocp.internal.rules.version_check',
  errorKeys: ['CLUSTER_VERSION_WORKING_TOWARDS'],
  requires: ['versionStatus'],
  links: {
    jira: ['https://issues.redhat.com/browse/INSIGHTOCP-455'],
    kcs: ['https://access.redhat.com/solutions/3799561'],
  },
  evaluate({ versionStatus }, { now }) {
    const { current, desired, available, progressing, failing, historyCount, updateStarted } = versionStatus;
    // The condition stays as it is when another version is wanted on the way.
    const since =
      (timeOf(updateStarted) ?? 0) > (timeOf(progressing.last_trans_time) ?? 0)
        ? updateStarted
        : progressing.last_trans_time;
    const takesLong = progressing.status === true && hasLasted(since, progressMsMax, now);
    if (failing.status !== true && !takesLong) return makeNone();
    return makeFail('CLUSTER_VERSION_WORKING_TOWARDS', {
      current,
      desired,
      available: briefCondition(available),
      progressing: briefCondition(progressing),
      failing: briefCondition(failing),
      history_count: historyCount,
    });
  },
});
