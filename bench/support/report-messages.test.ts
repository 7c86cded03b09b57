/** The messages that are measured are as large as real ones, and each is of a cluster and a request of its own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { parseOcpResults } from '../../src/contracts/parse-ocp-results.ts';
import { shrinkReportText } from '../../src/contracts/shrunk-report.ts';
import { createManualClock } from '../../src/platform/clock/manual-clock.ts';
import { reportMessages } from './report-messages.ts';

function read(message: string) {
  const parsed = parseOcpResults(Buffer.from(message));
  if (parsed.kind === 'refused') throw parsed.refused.error;
  return { ...parsed.report, stored: shrinkReportText(parsed.report.report).text.toString('utf8') };
}

test('a message has 10 kB, of which 3.4 kB are kept', () => {
  for (const message of reportMessages(createManualClock(), 3, 'sizes')) {
    assert.ok(Math.abs(message.length - 10_000) < 300, String(message.length));
    assert.ok(Math.abs(read(message).stored.length - 3_400) < 100, String(read(message).stored.length));
  }
});

test('a series is the same each time, and no two of its messages, nor those of two series, are alike', () => {
  const clock = createManualClock();
  const messages = reportMessages(clock, 100, 'one');
  const keptOf = (message: string) => {
    const { clusterName, requestId, stored } = read(message);
    return [clusterName, requestId, stored];
  };
  const repeated = reportMessages(clock, 40, 'one', 60).map(keptOf);
  assert.ok(isDeepStrictEqual(repeated, messages.slice(60).map(keptOf)));
  const all = [...messages, ...reportMessages(clock, 100, 'other'), ...reportMessages(clock, 100)].map(read);
  for (const name of ['clusterName', 'requestId', 'stored'] as const)
    assert.equal(new Set(all.map((report) => report[name])).size, all.length, name);
});
