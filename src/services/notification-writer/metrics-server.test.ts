/** What scrapers and probes see of the writer: the reference's names and answers, nothing unprefixed, Go's 404. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { createMetricsServer } from './metrics-server.ts';
import { createWriterMetrics } from './telemetry.ts';

const readiness = async () => ({ ready: true, reasons: [] });

async function withServer(
  options: { namespace: string; ready?: boolean },
  work: (get: (path: string) => Promise<{ status: number; type: string | null; text: string }>) => Promise<void>,
): Promise<void> {
  const registry = new Registry();
  createWriterMetrics(registry, options.namespace).stored.inc();
  const readiness = async () => ({ ready: options.ready ?? true, reasons: ['database: away'] });
  const server = createMetricsServer({ address: '127.0.0.1:0', registry, readiness });
  const url = await server.listen();
  try {
    await work(async (path) => {
      const answer = await fetch(`${url}${path}`);
      return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() };
    });
  } finally {
    await server.close();
  }
}

const names = [
  'consumed_messages',
  'consuming_errors',
  'parse_incoming_message',
  'check_schema_version',
  'marshal_report',
  'shrink_report',
  'check_last_checked_timestamp',
  'stored_messages',
  'stored_bytes',
];

test('writer Q15: the nine counters are there with the namespace and not without it', async () => {
  await withServer({ namespace: 'ccx_notification_writer' }, async (get) => {
    const { status, type, text } = await get('/metrics');
    assert.equal(status, 200);
    assert.equal(type, 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores');
    for (const name of names) {
      assert.match(text, new RegExp(`^# TYPE ccx_notification_writer_${name} counter$`, 'm'));
      assert.match(text, new RegExp(`^ccx_notification_writer_${name} \\d$`, 'm'));
      assert.doesNotMatch(text, new RegExp(`^${name} `, 'm'));
    }
    assert.match(text, /^ccx_notification_writer_stored_messages 1$/m);
    assert.match(
      text,
      /^# HELP ccx_notification_writer_check_last_checked_timestamp The total number of messages with last checked timestamp$/m,
    );
  });
});

test("the process's own metrics are there without the namespace, as the reference's library shows them", async () => {
  await withServer({ namespace: 'ccx_notification_writer' }, async (get) => {
    const { text } = await get('/metrics');
    assert.match(text, /^process_cpu_seconds_total \d/m);
    assert.match(text, /^process_resident_memory_bytes \d/m);
    assert.match(text, /^process_start_time_seconds \d/m);
  });
});

test('without a namespace the names are bare, and one that is no metric name is made one', async () => {
  await withServer({ namespace: '' }, async (get) =>
    assert.match((await get('/metrics')).text, /^stored_messages 1$/m),
  );
  await withServer({ namespace: 'notification-writer' }, async (get) =>
    assert.match((await get('/metrics')).text, /^notification_writer_stored_messages 1$/m),
  );
});

test('every other path is the 404 of Go', async () => {
  await withServer({ namespace: 'x' }, async (get) => {
    for (const path of ['/', '/metrics/', '/ready/', '/healthz']) {
      const { status, type, text } = await get(path);
      assert.deepEqual([status, type, text], [404, 'text/plain; charset=utf-8', '404 page not found\n'], path);
    }
  });
});

test('probes say whether the process lives and whether it can work', async () => {
  await withServer({ namespace: 'x' }, async (get) => {
    assert.equal((await get('/live')).status, 200);
    assert.equal((await get('/ready')).status, 200);
  });
  await withServer({ namespace: 'x', ready: false }, async (get) => {
    const { status, text } = await get('/ready');
    assert.deepEqual([status, text], [503, 'database: away\n']);
    assert.equal((await get('/live')).status, 200);
  });
});

test('an address that is none is refused and names the setting', () => {
  for (const address of ['8080', 'localhost', ':99999', ':', 'a:b:80', '[::1', ':80x']) {
    assert.throws(
      () => createMetricsServer({ address, registry: new Registry(), readiness }),
      (error: { code?: string; hint?: string }) =>
        error.code === 'CONFIG_INVALID' && /metrics\.address/.test(error.hint!),
      address,
    );
  }
});
