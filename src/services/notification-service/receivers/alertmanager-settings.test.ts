/** `[[receivers]]` of type alertmanager: what has a meaning where alerts are levels, and one error for each setting that has none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { temporaryFile } from '../../../../test/support/temporary-folder.ts';
import { receiversToml } from '../../../../test/support/webhook-receiver.ts';
import { testSigningKey } from '../../../../test/support/webhook-sink.ts';
import { CcxError, errorText } from '../../../encoding/ccx-error.ts';
import { loadConfig } from '../../../platform/config/load-config.ts';
import { notificationServiceOptions } from '../config.ts';
import { addressesOf, alertmanagerApi } from './alertmanager-settings.ts';
import { receiverSettings } from './receiver-settings.ts';

type Changes = Parameters<typeof receiversToml>[0][number];
const url = 'https://am-0.example.com:9093/s3cret, https://am-1.example.com:9093';

function settingsOf(changes: Changes = {}) {
  const entry = { name: 'alerts', type: 'alertmanager', url, ...changes };
  const file = temporaryFile('notifier.toml', receiversToml([entry]));
  return receiverSettings(loadConfig(notificationServiceOptions, { env: {}, file }).lists.receivers)[0]!;
}

test('an Alertmanager needs a name and an address; it has no cooldown, and ends what ends', () => {
  const { settings, policy } = settingsOf();
  assert.ok(settings.type === 'alertmanager');
  const { intervalMs, resolveAfterMs, endsAlerts } = settings;
  assert.deepEqual(
    { intervalMs, resolveAfterMs, endsAlerts },
    { intervalMs: 60_000, resolveAfterMs: 14_400_000, endsAlerts: true },
  );
  assert.deepEqual([policy.cooldown, policy.sendResolved, policy.totalRiskThreshold], ['0', false, 2]);
  const silent = settingsOf({ send_resolved: false }).settings;
  assert.ok(silent.type === 'alertmanager' && !silent.endsAlerts);
});

const wrong: Readonly<Record<string, readonly [changes: Changes, wanted: RegExp]>> = {
  'a cooldown, also that which others have by default': [
    { cooldown: '1 week' },
    /^cooldown of the receiver alerts has no effect/,
  ],
  'a cap': [{ cluster_cap: 0 }, /^cluster_cap of .* has no effect/],
  'a format': [{ format: 'slack' }, /^format of .* has no effect/],
  'a key': [{ signing_key: testSigningKey }, /^signing_key of .* has no effect/],
  'too short a time until resolved': [
    { interval: '60s', resolve_after: '599s' },
    /^resolve_after of .* is shorter than 10 intervals$/,
  ],
  'no address': [{ url: ' , ' }, /^url of the receiver alerts is no address$/],
  'one address of two that is none': [{ url: 'http://a/ hunter2' }, /^url of .* is no address$/],
  'a metadata service behind another': [{ url: 'http://a http://169.254.169.254/' }, /^url of .* is link-local/],
  'more than a cluster of them': [
    { url: Array.from({ length: 17 }, (_, index) => `http://a${index}`).join(' ') },
    /^url of .* holds more than 16 addresses$/,
  ],
};

for (const [what, [changes, wanted]] of Object.entries(wrong)) {
  test(`refused by name: ${what}`, () => {
    try {
      settingsOf(changes);
    } catch (error) {
      assert.ok(error instanceof CcxError);
      assert.match(error.message, wanted);
      assert.notEqual(error.hint ?? '', '');
      assert.doesNotMatch(`${errorText(error)} ${error.hint}`, /hunter2|s3cret/);
      return;
    }
    assert.fail('it was accepted');
  });
}

test('ten intervals are enough, and each address counts once', () => {
  const { settings } = settingsOf({ interval: '60s', resolve_after: '600s' });
  assert.ok(settings.type === 'alertmanager' && settings.resolveAfterMs === 600_000);
  assert.deepEqual(addressesOf('http://a\nhttp://b, http://a'), ['http://a', 'http://b']);
});

test('the path of an address stays in front of the API', () => {
  assert.equal(alertmanagerApi('https://a.example.com', 'alerts'), 'https://a.example.com/api/v2/alerts');
  assert.equal(alertmanagerApi('http://a:9093/am/?x=1', 'silences'), 'http://a:9093/am/api/v2/silences');
});
