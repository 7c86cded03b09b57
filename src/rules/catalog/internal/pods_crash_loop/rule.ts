/**
 * Pods whose containers crash again and again, and that have not been ready for two hours. What is newer may pass by itself, and a pod that was
 * started again often and is ready has got over it; of a pod that does not say since when, nothing is known. Source: data-pipeline.md 7.5
 * (generic checks); the error key is ours.
 */
import { hasLasted } from '../../../engine/archive-time.ts';
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';

const lastedMsMin = 2 * 3_600_000;

export const podsCrashLoop = defineRule({
  module: 'ccx_rules_ocp.internal.rules.pods_crash_loop',
  errorKeys: ['PODS_CRASH_LOOP'],
  requires: [],
  evaluate({ crashingPods = [] }, { now }) {
    const lasting = crashingPods.filter(({ ready }) => hasLasted(ready.last_trans_time, lastedMsMin, now));
    if (lasting.length === 0) return makeNone();
    return makeFail('PODS_CRASH_LOOP', {
      pods: lasting.map(({ namespace, name, ready, containers }) => ({
        namespace,
        name,
        since: ready.last_trans_time,
        containers: containers.map(({ exitCode, ...container }) => ({ ...container, exit_code: exitCode })),
      })),
    });
  },
});
