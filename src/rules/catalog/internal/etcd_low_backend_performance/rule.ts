/**
 * Members of etcd apply many changes slowly. An archive has one reading of a counter that starts at 0 with the member, and no member is older
 * than the start of the update to the version that runs now, which restarts every one: readings over that time are the least that the average
 * rate can be. From how many an hour on a cluster is too slow nobody has published, so that it is a setting. Looked at: etcd's documentation
 * of slow applies (a change that took longer than 100 ms) and of hardware, and the alerts of etcd's mixin, which measure other series.
 * Source: data-pipeline.md 7.5 (generic checks).
 */
import { timeOf } from '../../../engine/archive-time.ts';
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';

/** An installation and the hours after it are slow everywhere. */
const observedHoursMin = 24;
const hourMs = 3_600_000;

export const etcdLowBackendPerformance = defineRule({
  module: 'ccx_rules_ocp.internal.rules.etcd_low_backend_performance',
  errorKeys: ['ETCD_LOW_BACKEND_PERFORMANCE'],
  requires: ['etcdSlowApplies', 'clusterVersion'],
  evaluate({ etcdSlowApplies, clusterVersion }, { now, settings }) {
    const since = timeOf(clusterVersion.currentStarted);
    if (since === undefined) return makeNone();
    const hours = (now.getTime() - since) / hourMs;
    if (hours < observedHoursMin) return makeNone();
    const members = etcdSlowApplies
      .filter(({ count }) => count / hours > settings.etcdSlowAppliesMax)
      .map(({ pod, count }) => ({ name: pod, slow_applies: count, per_hour: Math.round(count / hours) }));
    if (members.length === 0) return makeNone();
    return makeFail('ETCD_LOW_BACKEND_PERFORMANCE', {
      members,
      since: clusterVersion.currentStarted,
      per_hour_max: settings.etcdSlowAppliesMax,
    });
  },
});
