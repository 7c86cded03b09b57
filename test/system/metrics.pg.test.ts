/** docs/metrics.md lists what the processes answer to `GET /metrics`: every metric that is there, and none that is not. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { exposedMetrics, metricRoles } from '../../scripts/docs/exposed-metrics.ts';
import { processMetrics, runtimeMetrics } from '../../scripts/docs/metric-notes.ts';
import { type Installation, startInstallation } from '../support/installation.ts';
import { createTestDatabase } from '../support/postgres.ts';

/** The all-in-one has no content service: the notification service of it has the content at hand. */
const rolesInside = metricRoles.filter((role) => role !== 'content');

/** `name type help`; of the process's own only the names, because two libraries describe them. */
function described(page: string): string[] {
  const lines = page.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$/gm);
  return [...lines].map(([, name = '', help = '', type = '']) =>
    /^(process|nodejs)_/.test(name) ? name : `${name} ${type} ${help}`,
  );
}

describe('metrics', { skip: existsSync('/proc/self/net/netstat') ? false : 'no /proc here' }, () => {
  let system: Installation;
  before(async () => {
    system = await startInstallation({ database: await createTestDatabase() });
  });
  after(() => system?.end());

  test('of all roles in one process are those of the page', async () => {
    const page = await (await fetch(`${system.operationsUrl}/metrics`)).text();
    const ofRoles = rolesInside.flatMap(exposedMetrics).map(({ name, type, help }) => `${name} ${type} ${help}`);
    const expected = new Set([...ofRoles, ...processMetrics, ...runtimeMetrics]);
    assert.deepEqual(described(page).sort(), [...expected].sort());
  });

  test('have the labels that the page says, wherever there is a value', async () => {
    const page = await (await fetch(`${system.operationsUrl}/metrics`)).text();
    const known = new Map(rolesInside.flatMap(exposedMetrics).map(({ name, labels }) => [name, labels]));
    let seen = 0;
    for (const [, series = '', labels = ''] of page.matchAll(/^(\w+)\{(.*)\} \S+$/gm)) {
      const declared = known.get(series) ?? known.get(series.replace(/_(bucket|count|sum)$/, ''));
      if (declared === undefined) continue;
      const names = [...labels.matchAll(/(\w+)="/g)].map(([, name = '']) => name).filter((name) => name !== 'le');
      assert.deepEqual(names.sort(), [...declared].sort(), series);
      seen += 1;
    }
    assert.ok(seen > 10, page);
  });
});
