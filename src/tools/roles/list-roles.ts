/** What `ccx roles` makes of the rows: which instances live, which are worth a look, and whether all are of one version. Pure. */
import { type RoleRecord, staleAfterMs } from '../../platform/records/role-record.ts';

/**
 * `stale`: it was not stopped and is not seen any more. `replaced`: the same, but a later instance of the role began on its host, as after a
 * crash.
 */
type Life = 'alive' | 'stale' | 'stopped' | 'replaced';

export interface ListedRole extends RoleRecord {
  readonly life: Life;
}

/** In the order of the rows; without `all` only what lives and what is missed. */
export function listRoles(records: readonly RoleRecord[], { all }: { readonly all: boolean }): ListedRole[] {
  return records
    .map((record) => ({ ...record, life: lifeOf(record, records) }))
    .filter(({ life }) => all || life === 'alive' || life === 'stale');
}

function lifeOf(record: RoleRecord, others: readonly RoleRecord[]): Life {
  if (record.state['stopped'] === true) return 'stopped';
  if (record.unseenSeconds * 1_000 < staleAfterMs) return 'alive';
  const isReplaced = others.some(
    ({ role, host, startedAt }) =>
      role === record.role && host === record.host && Date.parse(startedAt) > Date.parse(record.lastSeenAt),
  );
  return isReplaced ? 'replaced' : 'stale';
}

/**
 * What is wrong with an instance that lives, in its own words, one line each: why it is not ready, targets that are paused, rules that are
 * left out. It may be of another release, so that nothing is taken for granted.
 */
export function troublesOf({ life, state }: ListedRole): string[] {
  if (life !== 'alive') return [];
  return [
    ...listOf(state['reasons']).map(String),
    ...recordsOf(state['targets'])
      .filter(({ pausedUntil }) => typeof pausedUntil === 'string')
      .map(({ name, pausedUntil, code, text }) => `${name} is paused until ${pausedUntil}: ${text} [${code}]`),
    ...recordsOf(state['quarantine']).map(
      (left) => `rule ${left['rule']} is left out for ${left['for']}, ${left['seconds']} s more`,
    ),
  ];
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function recordsOf(value: unknown): readonly Fields[] {
  return listOf(value).filter((entry): entry is Fields => typeof entry === 'object' && entry !== null);
}

type Fields = Readonly<Record<string, unknown>>;

/** Versions that live, each with its roles; more than one is a rolling update, or one that was forgotten. */
export function versionsOf(listed: readonly ListedRole[]): { readonly version: string; readonly roles: string[] }[] {
  const alive = listed.filter(({ life }) => life === 'alive');
  return [...Map.groupBy(alive, ({ version }) => version)]
    .map(([version, roles]) => ({ version, roles: [...new Set(roles.map(({ role }) => role))].sort() }))
    .toSorted((left, right) => (left.version < right.version ? -1 : 1));
}
