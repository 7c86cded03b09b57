/** One archive is one trace: a span for each hop under the request id, whichever service did it, at a collector of OpenTelemetry. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { HOPS } from '../../src/topology.ts';
import { startCcx } from '../support/ccx-process.ts';
import { whyNoInstallation } from '../support/data-folder.ts';
import { startOtlpSink } from '../support/otlp-sink.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { unusedPort } from '../support/test-server.ts';

const waitMsMax = 120_000;
const stopMsMax = 30_000;

async function demonstrate(env: Readonly<Record<string, string>>) {
  const process = startCcx({
    args: ['all-in-one', '--demo', '--data', join(temporaryFolder(), 'data'), '--port', '0', '--log-level', 'silent'],
    env,
  });
  try {
    const [, requestId = ''] = await process.waitForOutput(/archive taken +request (\w+)/, waitMsMax);
    await process.waitForOutput(/A notification arrived/, waitMsMax);
    process.kill('SIGTERM');
    const startedMs = performance.now();
    const { code } = await process.exited(stopMsMax);
    return { requestId, code, stopMs: performance.now() - startedMs, stderr: process.stderr() };
  } finally {
    process.kill('SIGKILL');
  }
}

describe('spans', { skip: whyNoInstallation() }, () => {
  test('all twelve hops of an archive arrive as one trace, whose id is the request id', async () => {
    const sink = await startOtlpSink();
    try {
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment=test' };
      const { requestId, code, stderr } = await demonstrate(env);
      assert.deepEqual([code, stderr], [0, '']);
      const ofRequest = sink.spans.filter(({ traceId }) => traceId === requestId);
      for (const { number, step } of HOPS.slice(1)) {
        const name = `${number} ${step}`;
        assert.ok(
          ofRequest.some((span) => span.name === name && span.attributes['ccx.requestId'] === requestId),
          `${name} in ${ofRequest.map((span) => span.name).join(', ')}`,
        );
      }
      const roots = ofRequest.filter(({ parentSpanId }) => parentSpanId === '');
      assert.deepEqual(
        roots.map(({ name, service }) => [name, service]),
        [[`1 ${HOPS[1]!.step}`, 'ingress']],
      );
      assert.deepEqual([...new Set(ofRequest.map(({ parentSpanId }) => parentSpanId))].sort(), ['', roots[0]!.spanId]);
      assert.deepEqual([...new Set(ofRequest.map(({ service }) => service))].sort(), [
        'data-pipeline',
        'ingress',
        'notifier',
        'writer',
      ]);
      assert.ok(ofRequest.every(({ ms }) => ms >= 0 && ms < waitMsMax));
      const rules = ofRequest.find(({ name }) => name.startsWith('5 '))!;
      assert.ok(rules.ms > 1, 'the rules take longer than nothing');
    } finally {
      sink.close();
    }
  });

  test('a collector that is away costs nothing but the spans, and some seconds at the stop', async () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await unusedPort()}` };
    const { code, stopMs } = await demonstrate(env);
    assert.equal(code, 0);
    assert.ok(stopMs < 20_000, `${stopMs} ms`);
  });
});
