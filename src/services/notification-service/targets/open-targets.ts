/**
 * The enabled delivery targets of one process. Called by whoever starts the notification service; closing them is the caller's too.
 */
import type { Clock } from '../../../platform/clock/clock.ts';
import type { Secret } from '../../../platform/secrets/secret-source.ts';
import type { Telemetry } from '../../../platform/telemetry/telemetry.ts';
import type { Target } from '../ports.ts';
import {
  createKafkaTarget,
  type KafkaTargetDependencies,
  type KafkaTargetSettings,
} from './kafka-target/kafka-target.ts';
import { createServiceLogTarget, type ServiceLogTargetSettings } from './service-log-target/service-log-target.ts';

export interface TargetsSettings {
  /** Absent: not enabled. */
  readonly kafka?: KafkaTargetSettings;
  readonly serviceLog?: ServiceLogTargetSettings;
}

/** What the Kafka target uses of a bus; `check` rejects while notifications cannot be sent at all. */
export type TargetBus = KafkaTargetDependencies['bus'];

interface TargetsDependencies {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Needed for the Kafka target only. */
  readonly bus?: TargetBus;
  /** Needed for the Service Log target only. */
  readonly credentials?: { readonly clientId: Secret; readonly clientSecret: Secret };
}

/** Rejects when a target's producer cannot be had; nothing is left open then. Whether a target works is for `Target.check` to say. */
export async function openTargets(
  settings: TargetsSettings,
  dependencies: TargetsDependencies,
): Promise<readonly Target[]> {
  const { bus, credentials, clock, telemetry } = dependencies;
  const targets: Target[] = [];
  if (settings.kafka !== undefined) {
    if (bus === undefined) throw new Error('the Kafka target needs a bus');
    targets.push(await createKafkaTarget(settings.kafka, { bus, clock }));
  }
  if (settings.serviceLog !== undefined) {
    if (credentials === undefined) throw new Error('the Service Log target needs credentials');
    targets.push(createServiceLogTarget(settings.serviceLog, { ...credentials, clock, telemetry }));
  }
  return targets;
}
