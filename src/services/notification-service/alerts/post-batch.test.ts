/** Batches with bad alerts, against servers that answer as an Alertmanager does: the good ones arrive, the bad ones are named, all ends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PostableAlert } from '../../../contracts/alertmanager.ts';
import { CcxError } from '../../../encoding/ccx-error.ts';
import type { PostAnswer } from '../ports.ts';
import { testAlert } from '../targets/alertmanager-target/compose-alert.ts';
import { createLeftOut, halves, postBatch, searchingBudget } from './post-batch.ts';

function alertsOf(count: number): PostableAlert[] {
  const alert = testAlert({ now: new Date(0), uuid: () => 'id' });
  return Array.from({ length: count }, (_, index) => ({ ...alert, labels: { ...alert.labels, rule: `r${index}` } }));
}

/** 400 for a batch with a bad one, of which the others are kept. */
function serverOf(isBad: (alert: PostableAlert) => boolean) {
  const kept = new Set<string>();
  let posts = 0;
  return {
    kept,
    posts: () => posts,
    async post(alerts: readonly PostableAlert[]): Promise<PostAnswer> {
      posts += 1;
      for (const alert of alerts) if (!isBad(alert)) kept.add(alert.labels.rule);
      return alerts.some(isBad) ? { kind: 'refused', detail: 'bad' } : { kind: 'taken' };
    },
  };
}

test('every good alert is taken and every bad one named, wherever they stand', () =>
  fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 60 }),
      fc.uniqueArray(fc.nat(59), { maxLength: 4 }),
      async (count, bad) => {
        const alerts = alertsOf(count);
        const names = bad.map((index) => `r${index}`);
        const server = serverOf(({ labels }) => names.includes(labels.rule));
        const { taken, refused, error } = await postBatch(server.post, alerts, searchingBudget());
        assert.equal(error, undefined);
        assert.deepEqual(
          taken,
          alerts.filter(({ labels }) => !names.includes(labels.rule)),
        );
        assert.deepEqual(
          refused.map(({ alert }) => alert.labels.rule).sort(),
          names.filter((name) => Number(name.slice(1)) < count).sort(),
        );
      },
    ),
  ));

test('one bad alert of 500 costs some twenty posts', async () => {
  const server = serverOf(({ labels }) => labels.rule === 'r321');
  await postBatch(server.post, alertsOf(500), searchingBudget());
  assert.equal(server.kept.size, 499);
  assert.ok(server.posts() <= 19, String(server.posts()));
});

test('a server that refuses everything is not asked for ever', async () => {
  const server = serverOf(() => true);
  const budget = searchingBudget();
  const first = await postBatch(server.post, alertsOf(500), budget);
  assert.equal(first.error?.code, 'ALERTS_REFUSED');
  assert.ok(server.posts() <= 202, String(server.posts()));
  const before = server.posts();
  await postBatch(server.post, alertsOf(500), budget);
  assert.equal(server.posts(), before + 1, 'the budget is that of the round');
});

test('where nobody answers what was taken is told, and the rest waits', async () => {
  let posts = 0;
  const error = new CcxError('away', { code: 'HTTP_UNREACHABLE', category: 'connection' });
  const answers: PostAnswer[] = [{ kind: 'refused', detail: '' }, { kind: 'taken' }, { kind: 'failed', error }];
  const result = await postBatch(async () => answers[posts++]!, alertsOf(4), searchingBudget());
  assert.deepEqual([result.taken.length, result.refused.length, result.error], [2, 0, error]);
});

test('what was refused is left out for an hour, and no more than a thousand are remembered', () => {
  let now = 0;
  const leftOut = createLeftOut(() => now);
  const alerts = alertsOf(1_001);
  for (const alert of alerts) leftOut.add(alert);
  assert.equal(leftOut.size(), 1_000);
  assert.equal(leftOut.has(alerts[0]!), false);
  assert.equal(leftOut.has(alerts[1_000]!), true);
  now = 3_600_001;
  assert.equal(leftOut.has(alerts[1_000]!), false);
});

test('halves are both smaller', () => {
  assert.deepEqual(halves([1, 2, 3]), [[1, 2], [3]]);
  assert.deepEqual(halves([1, 2]), [[1], [2]]);
});
