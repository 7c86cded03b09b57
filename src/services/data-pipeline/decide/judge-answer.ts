/** What the status of a download's answer means. The reference never looks at it. Source: data-pipeline.md 3.1. */

export type AnswerVerdict =
  | 'archive'
  /** The same request may succeed later. */
  | 'try-again'
  /** It will not: expired, forbidden, gone, or led elsewhere. */
  | 'never';

/** 408 Request Timeout, 425 Too Early, 429 Too Many Requests. */
const passing: ReadonlySet<number> = new Set([408, 425, 429]);

export function judgeAnswer(status: number): AnswerVerdict {
  if (status === 200) return 'archive';
  return status >= 500 || passing.has(status) ? 'try-again' : 'never';
}
