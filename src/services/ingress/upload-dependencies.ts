/** What ingress works with on uploads and on everything else that is asked of it. Made once, by `service.ts`. */
import type { Authenticator } from '../../platform/auth/authenticator.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { ObjectStore } from '../../platform/objects/object-store.ts';
import type { Announcer } from './announcer.ts';
import type { GatheringMemory } from './archive-staging.ts';
import type { ClusterGuard } from './cluster-guard.ts';
import type { IngressSettings } from './config.ts';
import type { IngressEvents } from './telemetry.ts';
import type { UploadSlots } from './upload-slots.ts';

export interface UploadDependencies {
  readonly settings: IngressSettings;
  readonly objects: ObjectStore;
  readonly memory: GatheringMemory;
  readonly clock: Clock;
  readonly events: IngressEvents;
  readonly authenticator: Authenticator;
  /** Absent without a token file: then anybody may say anything. */
  readonly guard: ClusterGuard | undefined;
  readonly announcer: Announcer;
  readonly slots: UploadSlots;
}
