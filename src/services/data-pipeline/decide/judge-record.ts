/** Whether a record of the announcement topic concerns us at all, before anything of its value is read. Source: data-pipeline.md 2.2. */

/** What the writer's columns and the aggregator take. */
const numberMax = 4_294_967_295;
export interface RecordFacts {
  readonly headers: number;
  /** Value of the last header `service`. */
  readonly service: string | undefined;
  /** Milliseconds since the epoch; not positive where the bus does not know. */
  readonly timestampMs: number;
}

export interface RecordPolicy {
  /** Expected header `service`; empty switches the filter off (topic `platform.upload.buckit`). */
  readonly platformService: string;
  /** 0 switches the age limit off. */
  readonly recordAgeMsMax: number;
}

/** A drop reason is a metric label. */
export type RecordVerdict = 'accepted' | 'no-headers' | 'other-service' | 'too-old';

export function judgeRecord(record: RecordFacts, policy: RecordPolicy, now: Date): RecordVerdict {
  if (policy.platformService !== '') {
    if (record.headers === 0) return 'no-headers';
    if (record.service !== policy.platformService) return 'other-service';
  }
  const isAgeKnown = record.timestampMs > 0;
  if (policy.recordAgeMsMax > 0 && isAgeKnown && record.timestampMs < now.getTime() - policy.recordAgeMsMax) {
    return 'too-old';
  }
  return 'accepted';
}

/** 0 when unknown: readers require the member. */
export function accountNumber(text: string | undefined): number {
  return orgIdNumber(text ?? '') ?? 0;
}

/**
 * As Python's `int` reads text: blanks around, a plus sign, leading zeros and single underscores are allowed. Undefined where the text is
 * no such number; a report without an organization cannot be published.
 */
export function orgIdNumber(text: string): number | undefined {
  const match = /^\s*\+?(\d+(?:_\d+)*)\s*$/.exec(text);
  if (match === null) return undefined;
  const value = Number(match[1]!.replaceAll('_', ''));
  return value <= numberMax ? value : undefined;
}
