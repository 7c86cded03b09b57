/**
 * Whether a bucket keeps archives for as long as their announcements can be read: an announcement whose archive is gone is dead-lettered.
 * Looked at once at the start of whoever writes to the bucket, where the rights allow; only told, since nothing is lost before it is too late.
 */
import { errorFields } from '../../../encoding/ccx-error.ts';
import type { Telemetry } from '../../telemetry/telemetry.ts';
import { OUTBOX_PREFIX } from '../object-store.ts';

/** As much of a rule of S3 as is looked at. */
interface ExpiryRule {
  readonly ID?: string | undefined;
  readonly Status?: string | undefined;
  readonly Prefix?: string | undefined;
  readonly Filter?: {
    readonly Prefix?: string | undefined;
    readonly Tag?: unknown;
    readonly And?: unknown;
    readonly ObjectSizeGreaterThan?: number | undefined;
    readonly ObjectSizeLessThan?: number | undefined;
  };
  readonly Expiration?: { readonly Days?: number | undefined };
}

const dayMs = 24 * 3_600_000;

type LifecycleVerdict =
  | { readonly kind: 'long-enough'; readonly keptMs: number }
  /** Nothing removes old archives. */
  | { readonly kind: 'kept-for-ever' }
  | { readonly kind: 'too-short'; readonly keptMs: number; readonly rule: string };

interface LifecycleQuestions {
  readonly rules: () => Promise<readonly ExpiryRule[]>;
  /** Of the topic that announces what lies in the bucket. */
  readonly announcementsMs: () => Promise<number>;
}

/** Never rejects. */
export async function checkLifecycle(
  { rules, announcementsMs }: LifecycleQuestions,
  log: Pick<Telemetry['log'], 'info' | 'warn'>,
): Promise<void> {
  try {
    const topicMs = await announcementsMs();
    const verdict = judgeLifecycle(await rules(), topicMs);
    const facts = {
      announcements_kept_hours: topicMs / hourMs,
      ...('keptMs' in verdict ? { archives_kept_hours: verdict.keptMs / hourMs } : {}),
      ...('rule' in verdict ? { rule: verdict.rule } : {}),
    };
    if (verdict.kind === 'long-enough') log.info(facts, 'the bucket keeps archives for as long as their announcements');
    else log.warn(facts, verdictTexts[verdict.kind]);
  } catch (error) {
    log.info(errorFields(error), 'whether the bucket keeps archives long enough cannot be asked');
  }
}

const hourMs = 3_600_000;

const verdictTexts = {
  'too-short':
    'the lifecycle of the bucket removes archives before their announcements are gone: what is read later than that is dead-lettered; ' +
    'let it keep archives for longer, or the topic keep announcements for less long',
  'kept-for-ever': 'the bucket has no lifecycle that removes old archives: it grows for ever',
} as const;

/** Pure. `announcementsMs`: how long the topic keeps records; infinity where it keeps them for ever. */
export function judgeLifecycle(rules: readonly ExpiryRule[], announcementsMs: number): LifecycleVerdict {
  const expiring = rules.flatMap((rule) => {
    const days = rule.Status === 'Enabled' ? rule.Expiration?.Days : undefined;
    return days === undefined || !concernsUs(rule) ? [] : [{ rule, keptMs: days * dayMs }];
  });
  const shortest = expiring.reduce<(typeof expiring)[number] | undefined>(
    (least, one) => (least === undefined || one.keptMs < least.keptMs ? one : least),
    undefined,
  );
  if (shortest !== undefined && shortest.keptMs < announcementsMs) {
    return { kind: 'too-short', keptMs: shortest.keptMs, rule: shortest.rule.ID ?? '' };
  }
  const all = expiring.filter(({ rule }) => prefixOf(rule) === '' && !isPartial(rule));
  if (all.length === 0) return { kind: 'kept-for-ever' };
  return { kind: 'long-enough', keptMs: Math.min(...all.map(({ keptMs }) => keptMs)) };
}

/** Keys of archives are request ids, which begin with anything but a folder; and announcements that wait must not be dropped either. */
function concernsUs(rule: ExpiryRule): boolean {
  const prefix = prefixOf(rule);
  return !prefix.includes('/') || prefix.startsWith(OUTBOX_PREFIX);
}

/** We set no tags. What else `And` joins is looked at as if it held for every archive. */
function isPartial({ Filter }: ExpiryRule): boolean {
  return (
    Filter?.Tag !== undefined ||
    Filter?.And !== undefined ||
    Filter?.ObjectSizeGreaterThan !== undefined ||
    Filter?.ObjectSizeLessThan !== undefined
  );
}

function prefixOf({ Prefix, Filter }: ExpiryRule): string {
  return Filter?.Prefix ?? Prefix ?? '';
}
