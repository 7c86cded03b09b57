/** Issues, counts and events against a model that knows nothing of the service, while three processes decide the same reports. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createChance } from '../../../test/faults/seeded.ts';
import { hourMs, reportOf, withTimeline } from '../../../test/support/notification-timeline.ts';

/** By total risk, the lowest first, as the columns are read below. */
const keys = ['LOW', 'MODERATE', 'IMPORTANT', 'CRITICAL'];

interface ModelledIssue {
  readonly state: 'open' | 'gone' | 'resolved';
  readonly missed: number;
}

function createModel() {
  const issues = new Map<string, ModelledIssue>();
  let events = 0;
  return {
    report(held: readonly string[]) {
      for (const key of held) {
        if (issues.get(key)?.state !== 'open') events += 1;
        issues.set(key, { state: 'open', missed: 0 });
      }
      for (const [key, { state, missed }] of issues) {
        if (held.includes(key) || state === 'resolved') continue;
        const resolved = missed + 1 === 2;
        events += (state === 'open' ? 1 : 0) + (resolved ? 1 : 0);
        issues.set(key, { state: resolved ? 'resolved' : 'gone', missed: missed + 1 });
      }
    },
    says: () => ({
      issues: [...issues].map(([key, { state, missed }]) => `${key} ${state} ${missed}`).sort(),
      counts: keys.map((key) => (issues.get(key)?.state === 'open' ? 1 : 0)).join(' '),
      events,
    }),
  };
}

const seed = 'a';
test(`what the tables say of issues is what a replay of all reports says; seed ${seed}`, () =>
  withTimeline({ targets: ['notification-backend', 'service-log'] }, async (line) => {
    const chance = createChance(seed);
    const model = createModel();
    const services = [
      await line.another({}, undefined, ['notification-backend']),
      await line.another({}, undefined, ['service-log']),
      await line.another(),
    ];
    await line.store(reportOf());
    for (let round = 0; round < 15; round += 1) {
      await line.clock.advance(chance.pick([1, 3]) * hourMs);
      const held = chance.shuffle(keys).slice(0, chance.below(5));
      const late = new Date(line.clock.now().getTime() - 200 * hourMs).toISOString();
      const kind = chance.below(8);
      // Neither says anything: one cannot be read, the other is older than the newest.
      if (kind === 0) await line.store('{"reports": [');
      else if (kind === 1) await line.store(reportOf(...held), { at: late });
      else {
        await line.store(reportOf(...held));
        model.report(held);
      }
      await Promise.all(services.map((service) => service.runOnce()));
      const { rows } = await line.database.query(
        `SELECT (SELECT coalesce(json_agg(error_key || ' ' || state || ' ' || missed ORDER BY error_key), '[]') FROM ccx.issues) AS issues,
                (SELECT concat_ws(' ', low, moderate, important, critical) FROM ccx.clusters) AS counts,
                (SELECT count(*)::int FROM ccx.issue_events WHERE event IN ('appeared', 'gone', 'resolved')) AS events`,
      );
      assert.deepEqual(rows[0], model.says(), `round ${round}`);
    }
  }));
