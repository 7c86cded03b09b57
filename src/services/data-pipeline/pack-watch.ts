/**
 * The rule packs of this service: read at its start, which fails where they cannot be used, and again a few seconds after they change. A
 * change that cannot be used leaves the last good packs in force and is told in log, metric and `/ready`.
 */
import type { CcxError } from '../../encoding/ccx-error.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { noPacks, type PackSet, type PackStore } from '../../rules/packs/pack-set.ts';

/** A person who has changed a rule waits for it; looking costs one `stat` for each file. */
export const packLookMs = 3_000;

interface PackWatchEvents {
  packsLoaded(set: PackSet): void;
  packsBroken(error: CcxError): void;
}

interface PackWatch {
  /** Those in force: the same object until others are. */
  set(): PackSet;
  /** What is worth knowing of them, for `/ready`. */
  notes(): readonly string[];
  /** True while the last change is not in force. */
  isStale(): boolean;
  stop(): void;
}

/** Rejects with code `RULE_PACK_INVALID`. Loads the language of packs only where there are folders of them. */
export async function watchPacks(options: {
  readonly folders: readonly string[];
  readonly clock: Clock;
  readonly events: PackWatchEvents;
}): Promise<PackWatch> {
  const { folders, clock, events } = options;
  if (folders.length === 0) {
    return { set: () => noPacks, notes: () => [], isStale: () => false, stop: () => undefined };
  }
  const { PackStore } = await import('../../rules/packs/pack-set.ts');
  const { catalogueNames } = await import('../../rules/catalog/catalogue-names.ts');
  const store = await PackStore.open(folders, await catalogueNames());
  events.packsLoaded(store.set);
  const stop = clock.every(packLookMs, async () => {
    const found = await store.refresh();
    if (found === 'changed') events.packsLoaded(store.set);
    if (found === 'broken') events.packsBroken(store.trouble!);
  });
  return { set: () => store.set, notes: () => notesOf(store), isStale: () => store.trouble !== undefined, stop };
}

function notesOf({ set, trouble }: PackStore): readonly string[] {
  if (trouble === undefined) return set.warnings;
  return ['rule packs: the last change is not in force: see the log [RULE_PACK_INVALID]', ...set.warnings];
}
