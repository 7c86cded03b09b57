/** One metrics page of several services, whatever they register and when. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { joinRegistries } from './joined-registries.ts';

test('the page of one registry is its own', async () => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  new Histogram({ name: 'h', help: 'a histogram', buckets: [1, 2], registers: [registry] }).observe(1.5);
  const names = (text: string) => [...text.matchAll(/^# TYPE (.*)$/gm)].map((match) => match[1]);
  const joined = joinRegistries([registry]);
  assert.deepEqual(names(await joined.metrics()), names(await registry.metrics()));
  assert.equal(joined.contentType, registry.contentType);
});

test('a metric that comes later is seen, and one of the same name in another registry joins it', async () => {
  const [left, right] = [new Registry(), new Registry()];
  const joined = joinRegistries([left, right]);
  const replaced = (registry: Registry) =>
    new Counter({ name: 'replaced_total', help: 'children', labelNames: ['pool'], registers: [registry] });
  replaced(left).inc({ pool: 'rules' }, 2);
  const late = replaced(right);
  late.inc({ pool: 'renderer' });
  late.inc({ pool: 'rules' }, 3);
  new Gauge({ name: 'depth', help: 'of the queue', registers: [right] }).set(7);
  assert.deepEqual((await joined.metrics()).trim().split(/\n+/), [
    '# HELP replaced_total children',
    '# TYPE replaced_total counter',
    'replaced_total{pool="rules"} 5',
    'replaced_total{pool="renderer"} 1',
    '# HELP depth of the queue',
    '# TYPE depth gauge',
    'depth 7',
  ]);
});

test('histograms of one name are added bucket by bucket', async () => {
  const registries = [new Registry(), new Registry()];
  for (const [index, registry] of registries.entries())
    new Histogram({ name: 'h', help: 'a histogram', buckets: [1, 2], registers: [registry] }).observe(index + 0.5);
  const text = await joinRegistries(registries).metrics();
  assert.match(text, /^h_bucket\{le="1"\} 1$/m);
  assert.match(text, /^h_bucket\{le="2"\} 2$/m);
  assert.match(text, /^h_count 2$/m);
});
