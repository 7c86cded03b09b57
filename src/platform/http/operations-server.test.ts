/** Prometheus and Kubernetes get what they ask for, whatever state the service is in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Counter, Registry } from 'prom-client';
import { createSystemClock } from '../clock/clock.ts';
import { createSilentTelemetry } from '../telemetry/telemetry.ts';
import { createOperationsServer } from './operations-server.ts';

test('metrics, readiness with its reasons, and life are told', async () => {
  const registry = new Registry();
  new Counter({ name: 'ccx_published_total', help: 'Reports', registers: [registry] }).inc();
  const state = { ready: false, reasons: ['the bus cannot be read'] };
  const server = createOperationsServer({
    host: '127.0.0.1',
    port: 0,
    portSetting: 'operations.port',
    registry,
    readiness: async () => state,
    log: createSilentTelemetry('test').log,
    clock: createSystemClock(),
  });
  const url = await server.listen();
  try {
    const metrics = await fetch(`${url}/metrics`);
    assert.match(metrics.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    const page = await metrics.text();
    assert.match(page, /^ccx_published_total 1$/m);
    assert.match(page, /^process_resident_memory_bytes \d/m, 'as every program in Go shows it');
    const notReady = await fetch(`${url}/ready`);
    assert.deepEqual([notReady.status, await notReady.json()], [503, state]);
    assert.equal((await fetch(`${url}/live`)).status, 200);
    state.ready = true;
    assert.equal((await fetch(`${url}/ready`)).status, 200);
    assert.equal((await fetch(`${url}/other`)).status, 404);
  } finally {
    await server.close();
  }
});
