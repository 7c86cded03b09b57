/** The flags by which `ccx notifications` chooses messages, and what they say. Texts that mean nothing are refused by name, before any work. */
import type { Command } from 'commander';
import { type PlatformTargetName, TARGET_NOTIFICATIONS_BACKEND, TARGET_SERVICE_LOG } from '../../contracts/tables.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { parseDuration } from '../../platform/config/parse-value.ts';
import type { Queryable } from '../../platform/database/database.ts';
import type { ListedState, MessageFilter } from './store/messages.ts';
import { readReceiverNames } from './store/targets.ts';
import { createTimeSource, microsOfMs, serverMicros, timestampText } from './timestamps.ts';

export interface FilterFlags {
  readonly state?: string;
  readonly target?: string;
  readonly cluster?: string;
  readonly reason?: string;
  readonly olderThan?: string;
  readonly newerThan?: string;
  readonly limit?: string;
}

const targets: Readonly<Record<PlatformTargetName, number>> = {
  'notification-backend': TARGET_NOTIFICATIONS_BACKEND,
  'service-log': TARGET_SERVICE_LOG,
};
/** Their names in `ccx.notification_targets`, which are taken too. */
const storedNames: Readonly<Record<string, PlatformTargetName>> = {
  kafka: 'notification-backend',
  service_log: 'service-log',
};
const idPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function addFilterFlags(command: Command, states: readonly ListedState[]): Command {
  return command
    .option('--state <states>', `one of ${states.join(', ')}, or several with commas between`)
    .option('--target <name>', `only to this target: ${Object.keys(targets).join(', ')} or the name of a receiver`)
    .option('--cluster <id>', 'only about this cluster')
    .option('--reason <code>', 'only with this code of an error, or withdrawn for this reason')
    .option('--older-than <duration>', 'only what was decided longer ago than that: 2h, 90m')
    .option('--newer-than <duration>', 'only what was decided since then');
}

/** True when some flag narrows what is meant. */
export function isNarrowed({ limit: _, ...filter }: FilterFlags): boolean {
  const names = ['state', 'target', 'cluster', 'reason', 'olderThan', 'newerThan'] as const;
  return names.some((name) => filter[name] !== undefined);
}

/** `possible`: states that may be named; `usual`: where none is. Ages count by the database's clock, as everything in the outbox does. */
export async function readFilter(
  database: Queryable,
  flags: FilterFlags,
  states: { readonly possible: readonly ListedState[]; readonly usual: readonly ListedState[] },
): Promise<MessageFilter> {
  const filter = {
    states:
      flags.state === undefined ? states.usual : flags.state.split(',').map((text) => stateOf(text, states.possible)),
    eventTargetId: flags.target === undefined ? undefined : targetOf(flags.target, await readReceiverNames(database)),
    ...{ cluster: flags.cluster, reason: flags.reason },
  };
  const olderMs = durationOf('--older-than', flags.olderThan);
  const newerMs = durationOf('--newer-than', flags.newerThan);
  if (olderMs === undefined && newerMs === undefined) return filter;
  const time = createTimeSource(createSystemClock(), 'database');
  await time.synchronize(() => serverMicros(database));
  const nowMicros = time.nowMicros();
  const ago = (ms: number | undefined) => (ms === undefined ? undefined : timestampText(nowMicros - microsOfMs(ms)));
  return { ...filter, decidedUntil: ago(olderMs), decidedSince: ago(newerMs) };
}

function stateOf(text: string, possible: readonly ListedState[]): ListedState {
  const state = possible.find((known) => known === text.trim());
  if (state !== undefined) return state;
  throw inputError(`${text} is no state of a notification that this could be about`, {
    code: 'NOTIFICATION_STATE',
    hint: `states are ${possible.join(', ')}`,
  });
}

/** `receivers`: names by number. */
export function targetOf(text: string, receivers: ReadonlyMap<number, string>): number {
  const name = Object.hasOwn(storedNames, text) ? storedNames[text]! : text;
  if (Object.hasOwn(targets, name)) return targets[name as PlatformTargetName];
  for (const [id, receiver] of receivers) if (receiver === text) return id;
  throw inputError(`${text} is no target`, {
    code: 'NOTIFICATION_TARGET',
    hint: `targets are ${[...Object.keys(targets), ...receivers.values()].join(', ')}`,
  });
}

export function durationOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms !== undefined && ms >= 0 && text.trim() !== '') return ms;
  throw inputError(`${flag} ${text} is no duration`, {
    code: 'NOTIFICATION_AGE',
    hint: 'write 90s, 15m, 2h or 36h30m',
  });
}

/** A positive number of messages. */
export function readLimit(text: string | undefined, usual: number): number {
  if (text === undefined) return usual;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw inputError(`--limit ${text} is no number of notifications`, {
    code: 'NOTIFICATION_LIMIT',
    hint: 'write 1 or more',
  });
}

/** Checked before anything is done: of several ids with one wrong among them none is touched. */
export function readIds(texts: readonly string[]): string[] {
  return [...new Set(texts.map((text) => readId(text)))];
}

export function readId(text: string): string {
  if (idPattern.test(text)) return text.toLowerCase();
  throw inputError(`${text} is no id of a notification`, {
    code: 'NOTIFICATION_ID',
    hint: 'ids are UUIDs; ccx notifications list shows them',
  });
}

function inputError(message: string, { code, hint }: { readonly code: string; readonly hint: string }): CcxError {
  return new CcxError(message, { code, category: 'input', hint });
}
