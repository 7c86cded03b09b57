/** The process's own metrics: Go's names, types and help texts, with values that are so. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { registerProcessMetrics } from './process-metrics.ts';

const skip = existsSync('/proc/self/net/netstat') ? false : 'no /proc here';

const expected = [
  ['process_cpu_seconds_total', 'counter', 'Total user and system CPU time spent in seconds.'],
  ['process_max_fds', 'gauge', 'Maximum number of open file descriptors.'],
  ['process_network_receive_bytes_total', 'counter', 'Number of bytes received by the process over the network.'],
  ['process_network_transmit_bytes_total', 'counter', 'Number of bytes sent by the process over the network.'],
  ['process_open_fds', 'gauge', 'Number of open file descriptors.'],
  ['process_resident_memory_bytes', 'gauge', 'Resident memory size in bytes.'],
  ['process_start_time_seconds', 'gauge', 'Start time of the process since unix epoch in seconds.'],
  ['process_virtual_memory_bytes', 'gauge', 'Virtual memory size in bytes.'],
  ['process_virtual_memory_max_bytes', 'gauge', 'Maximum amount of virtual memory available in bytes.'],
] as const;

test('names, types and help texts are those of Go', { skip }, async () => {
  const registry = new Registry();
  registerProcessMetrics(registry);
  const text = await registry.metrics();
  const found = [...text.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$/gm)].map(([, name, help, type]) => [
    name,
    type,
    help,
  ]);
  assert.deepEqual(
    found.sort(),
    expected.map((row) => [...row]),
  );
});

test('values are those of this process, also at the second look', { skip }, async () => {
  const registry = new Registry();
  registerProcessMetrics(registry);
  for (let look = 0; look < 2; look += 1) {
    const text = await registry.metrics();
    const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
    const cpu = process.cpuUsage();
    assert.ok(Math.abs(value('process_cpu_seconds_total') - (cpu.user + cpu.system) / 1e6) < 1);
    assert.ok(Math.abs(value('process_start_time_seconds') - performance.timeOrigin / 1000) < 1);
    assert.ok(value('process_open_fds') > 2 && value('process_open_fds') < value('process_max_fds'));
    assert.ok(value('process_virtual_memory_bytes') > value('process_resident_memory_bytes'));
    assert.ok(value('process_virtual_memory_max_bytes') >= value('process_virtual_memory_bytes'));
    assert.ok(value('process_network_receive_bytes_total') >= 0);
  }
});

test('registering twice, or beside those of Node, is no mistake', async () => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  registerProcessMetrics(registry);
  registerProcessMetrics(registry);
  assert.match(await registry.metrics(), /^process_cpu_seconds_total /m);
  registry.clear();
});
