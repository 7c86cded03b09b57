/** A request's story as text for a terminal. */

import { hopNames, type TraceLine, type TraceStory } from './decide/describe-trace.ts';

/** Lines without a trailing line break. What services told is made one line of printable text each: it may be anything. */
export function formatTrace(story: TraceStory): string {
  const about = [
    ['request', story.requestId],
    ['organization', story.orgId],
    ['account', story.account],
    ['cluster', story.cluster],
  ].flatMap(([name, value]) => (value === undefined ? [] : [`${name!.padEnd(13)}${printable(value)}`]));
  const cells = story.lines.map((line) => [
    line.at.replace('T', ' ').replace('Z', ''),
    line.afterMs === undefined ? '' : `+${duration(line.afterMs)}`,
    line.hop === undefined ? '' : `hop ${line.hop}`,
    printable(line.service),
    printable(whatHappened(line)),
  ]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(...cells.map((row) => row[column]!.length)));
  const table = cells.map((row) =>
    row
      .map((cell, column) => (column === 1 ? cell.padStart(widths[1]!) : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  return [...about, '', ...table, '', `${story.ending.text} (${duration(story.totalMs)} in all)`].join('\n');
}

function whatHappened({ hop, status, detail, failed }: TraceLine): string {
  const named = hop === undefined ? status : `${hopNames[hop]?.done ?? ''} (${status})`;
  return `${failed ? '! ' : ''}${named}${detail === undefined ? '' : `: ${detail}`}`;
}

function duration(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${(ms / 60_000).toFixed(1)} min`;
  return `${(ms / 3_600_000).toFixed(1)} h`;
}

/** Terminals obey control characters. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
}
