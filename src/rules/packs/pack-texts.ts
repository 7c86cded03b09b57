/**
 * The texts of rule packs beside the content, from wherever that comes. They are looked at whenever content is asked for: a rule that the
 * data pipeline has begun to run must not be unknown here until the content is renewed. A change with a fault leaves the last good texts.
 */
import type { RuleContentDirectory } from '../../contracts/rule-content.ts';
import type { CcxError } from '../../encoding/ccx-error.ts';
import type { PackSet } from './pack-set.ts';

/** Of one run or one batch many may ask. */
const lookMs = 1_000;

export interface PackTexts {
  /** The same object for the same content while no pack has changed. */
  join(content: RuleContentDirectory): Promise<RuleContentDirectory>;
}

/** Undefined where there are no folders. Rejects with code `RULE_PACK_INVALID` when packs cannot be used at the start. */
export async function openPackTexts(options: {
  readonly folders: readonly string[];
  readonly clock: { monotonicMs(): number };
  readonly onBroken: (error: CcxError) => void;
}): Promise<PackTexts | undefined> {
  const { folders, clock, onBroken } = options;
  if (folders.length === 0) return undefined;
  const { PackStore } = await import('./pack-set.ts');
  const { withPackContent } = await import('./pack-content.ts');
  const { catalogueNames } = await import('../catalog/catalogue-names.ts');
  const store = await PackStore.open(folders, await catalogueNames());
  let lookedMs = clock.monotonicMs();
  let joined:
    | { readonly of: RuleContentDirectory; readonly set: PackSet; readonly content: RuleContentDirectory }
    | undefined;
  return {
    async join(content) {
      if (clock.monotonicMs() - lookedMs >= lookMs) {
        lookedMs = clock.monotonicMs();
        if ((await store.refresh()) === 'broken') onBroken(store.trouble!);
      }
      if (joined?.of !== content || joined.set !== store.set) {
        joined = { of: content, set: store.set, content: withPackContent(content, store.set.packs) };
      }
      return joined.content;
    },
  };
}

/** Content that a service keeps, with the texts of packs. */
export function withPackTexts<Kept extends { get(): Promise<RuleContentDirectory> }>(
  kept: Kept,
  packs: PackTexts | undefined,
): Kept {
  return packs === undefined ? kept : { ...kept, get: async () => packs.join(await kept.get()) };
}
