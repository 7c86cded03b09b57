/** Times of a report's `analysis_metadata`. */

/** Microseconds since the epoch as `2021-12-13T15:51:02.895120+00:00`. Source: data-pipeline.md 4.4. */
export function formatMicros(micros: bigint): string {
  const milliseconds = new Date(Number(micros / 1000n)).toISOString().slice(0, -1);
  return `${milliseconds}${String(micros % 1000n).padStart(3, '0')}+00:00`;
}
