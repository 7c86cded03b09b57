/**
 * What whoever runs the rules may set of what they fire on: thresholds and lists that data-pipeline.md 7.5 calls configurable. Given to every
 * rule with the time; the data pipeline has an option for each (`rules.*`), with these defaults.
 */
import type { SemanticVersion } from './semantic-version.ts';

export interface VersionRange {
  readonly from: SemanticVersion;
  /** The first version that is not affected. */
  readonly before: SemanticVersion;
}

export interface RuleSettings {
  /** Of one version of an operator in one namespace; more are no history any more. */
  readonly installPlansMax: number;
  /** An admission webhook may take so long; at least 10 s, below which none is read (`facts/webhooks.ts`). */
  readonly webhookMsMax: number;
  /** An hour, on average, by one member of etcd; more are a disk or a network that is too slow. */
  readonly etcdSlowAppliesMax: number;
  /** Network plug-ins that are supported beside those of `network-plugins.yaml`, in any case. */
  readonly networkPlugins: readonly string[];
  /** By the name of a rule's folder, in place of its ranges in `affected-versions.yaml`. */
  readonly affectedVersions: Readonly<Record<string, readonly VersionRange[]>>;
}

export const defaultRuleSettings: RuleSettings = {
  /** A subscription needs one plan per version of its operator. */
  installPlansMax: 10,
  /** The API's default is 10 s; OpenShift's own documentation counts on webhooks to be given up after 13 s. */
  webhookMsMax: 13_000,
  /** One a minute, day and night: from how many on a cluster suffers nobody has published. */
  etcdSlowAppliesMax: 60,
  networkPlugins: [],
  affectedVersions: {},
};
