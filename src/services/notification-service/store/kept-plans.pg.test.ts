/**
 * Which statements of a cycle have their plans kept: of small sets, all that read by key; none of them is planned for its values once a
 * session knows it, and however many clusters there were, a session holds no more of them.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reportOf, type Timeline, withTimeline } from '../../../../test/support/notification-timeline.ts';

/** The server looks at the values of five executions before it takes a plan for any of them. */
const plannedForValuesMax = 5;
/** Enough for each session of the pool to come to that. */
const cycles = 20;

interface HeldPlan {
  readonly statement: string;
  readonly generic: bigint;
  readonly custom: bigint;
}

/** Of every session of the pool, each of which is held until all have answered. */
async function heldPlans({ database }: Timeline): Promise<readonly (readonly HeldPlan[])[]> {
  const sessions = 10;
  const all = Promise.withResolvers<void>();
  let answered = 0;
  return await Promise.all(
    Array.from({ length: sessions }, () =>
      database.withConnection(async (connection) => {
        const { rows } = await connection.query<HeldPlan>(
          'SELECT statement, generic_plans AS generic, custom_plans AS custom FROM pg_prepared_statements',
        );
        answered += 1;
        if (answered === sessions) all.resolve();
        await all.promise;
        return rows;
      }),
    ),
  );
}

test('cycles of a few clusters keep their plans, and plan none for its values any more', async () => {
  await withTimeline(
    { settings: { mode: 'follow' }, targets: ['notification-backend', 'service-log'] },
    async (line) => {
      const service = await line.another();
      const cycle = async (number: number) => {
        await line.store(reportOf('CRITICAL', 'IMPORTANT'), { cluster: `cluster-${number % 7}` });
        await line.clock.advance(1_000);
        await service.runOnce();
      };
      for (let number = 0; number < cycles; number += 1) await cycle(number);
      const before = await heldPlans(line);
      const busiest = before.toSorted((left, right) => right.length - left.length)[0]!;
      assert.ok(busiest.length >= 10, `${busiest.length} statements are kept`);
      for (const { statement, generic, custom } of before.flat()) {
        assert.ok(
          custom <= plannedForValuesMax,
          `${custom} times for its values, ${generic} times for any: ${statement}`,
        );
      }
      for (let number = 0; number < cycles; number += 1) await cycle(number);
      const texts = new Set((await heldPlans(line)).flat().map(({ statement }) => statement));
      assert.ok(texts.size <= 40, `${texts.size} different statements are kept`);
    },
  );
});

test('a large set is planned by its size', async () => {
  await withTimeline({}, async (line) => {
    for (let number = 0; number < 60; number += 1)
      await line.store(reportOf('CRITICAL'), { cluster: `cluster-${number}` });
    await line.run();
    const statements = (await heldPlans(line)).flat().map(({ statement }) => statement);
    assert.deepEqual(
      statements.filter((statement) => /^\s*(INSERT|UPDATE)/.test(statement)),
      [],
    );
  });
});
