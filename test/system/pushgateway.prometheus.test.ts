/** G23 with a real Pushgateway: a one-shot run leaves its metrics there, and a gateway that refuses or is gone changes nothing of it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { withNotifier } from '../faults/notifier-under-fault.ts';
import { startPushgateway } from '../support/prometheus.ts';
import { unusedPort } from '../support/test-server.ts';

const cluster = 'fa11ed00-0000-4000-8000-000000000000';
/** Of the password `gateway`. */
const hash = '$2b$04$i9VF8S0qzRmGX29x.EcanOLyEj7a/tME8jNupPlU6ABQmESaoMKd6';
const tokenOf = (text: string) => Buffer.from(text).toString('base64');
const sent =
  /^ccx_notification_service_to_notification_backend_notification_sent\{[^}]*job="ccx\/one-shot"[^}]*\} (\d+)$/m;

async function runWith(gateway: string, token: string, check: (output: string) => void | Promise<void>): Promise<void> {
  await withNotifier({}, async (notifier) => {
    await notifier.store(cluster, 'CRITICAL');
    const { code, output } = await notifier.run({
      env: {
        METRICS__GATEWAY_URL: gateway,
        METRICS__GATEWAY_AUTH_TOKEN: token,
        METRICS__JOB_NAME: 'ccx/one-shot',
        METRICS__RETRIES: '1',
        METRICS__RETRY_AFTER: '10ms',
      },
    });
    assert.equal(code, 0, output);
    assert.deepEqual(await notifier.complaints({ told: [{ cluster, findings: ['CRITICAL'], targets: [2] }] }), []);
    await check(output);
  });
}

describe('a one-shot run and its Pushgateway', () => {
  test('the gateway takes all of the metrics, keeps them when the run is over, and holds those of the next run in their place', async () => {
    const gateway = await startPushgateway({ user: 'ccx', hash });
    const page = async () => {
      const response = await fetch(`http://${gateway}/metrics`, {
        headers: { authorization: `Basic ${tokenOf('ccx:gateway')}` },
      });
      return await response.text();
    };
    for (const _run of [1, 2]) {
      await runWith(gateway, tokenOf('ccx:gateway'), async (output) => {
        assert.doesNotMatch(output, /PUSH_REFUSED/);
        const text = await page();
        assert.ok(Number(sent.exec(text)?.[1]) >= 1, text);
        assert.match(text, /^push_failure_time_seconds\{[^}]*\} 0$/m);
        assert.match(text, /^ccx_notification_last_run_timestamp_seconds\{[^}]*\} 1/m);
      });
    }
  });

  test('G23: one that refuses the login, and one that is gone: the message arrives, the exit code is 0, the log says why', async () => {
    const gateway = await startPushgateway({ user: 'ccx', hash });
    await runWith(gateway, tokenOf('ccx:wrong'), (output) => assert.match(output, /PUSH_REFUSED/));
    await runWith(`127.0.0.1:${await unusedPort()}`, 'token', (output) => assert.match(output, /HTTP_UNREACHABLE/));
  });
});
