/** `[[receivers]]`: what is taken, and one error for each wrong setting, which names it and shows no secret. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { temporaryFile } from '../../../../test/support/temporary-folder.ts';
import { receiversToml, webhookEntry } from '../../../../test/support/webhook-receiver.ts';
import { oldSigningKey, testSigningKey } from '../../../../test/support/webhook-sink.ts';
import { CcxError, errorText } from '../../../encoding/ccx-error.ts';
import { loadConfig } from '../../../platform/config/load-config.ts';
import { notificationServiceOptions } from '../config.ts';
import { maskedUrl, receiverSettings, type WebhookSettings } from './receiver-settings.ts';

const url = 'https://hooks.example.com/services/s3cret';

function settingsOf(...entries: Parameters<typeof receiversToml>[0]) {
  const file = temporaryFile('notifier.toml', receiversToml(entries));
  const receivers = receiverSettings(loadConfig(notificationServiceOptions, { env: {}, file }).lists.receivers);
  return receivers.map(({ policy, settings }) => ({ policy, settings: settings as WebhookSettings }));
}

function webhookOf(...entries: Parameters<typeof receiversToml>[0]): WebhookSettings {
  const [receiver] = settingsOf(...entries);
  assert.ok(receiver?.settings.type === 'webhook');
  return receiver.settings;
}

test('a webhook needs a name, an address and a key; all else has a default', () => {
  const entry = { name: 'tickets', type: 'webhook', url, signing_key: testSigningKey };
  const [settings, { policy }] = [webhookOf(entry), settingsOf(entry)[0]!];
  assert.equal(settings.format, 'cloudevents');
  assert.deepEqual(settings.authorization, { kind: 'none' });
  assert.equal(settings.signingKeys.length, 1);
  assert.equal(policy.totalRiskThreshold, 2);
  assert.equal(policy.sendResolved, false);
  assert.equal(policy.cooldown, '1 week');
  assert.deepEqual(policy.scope, { organizations: new Set(), clusters: new Set() });
});

test('secrets may lie in files, which are named to whoever reads them again', () => {
  const [tokenFile, keyFile] = ['t0ken', testSigningKey].map((text) => temporaryFile('secret', `${text}\n`));
  const entry = { name: 'tickets', type: 'webhook', url, signing_key_file: keyFile!, bearer_token_file: tokenFile! };
  const settings = webhookOf(entry);
  assert.deepEqual(settings.signingKeys, [
    { setting: 'signing_key of the receiver tickets', configured: testSigningKey, file: keyFile },
  ]);
  assert.deepEqual(settings.authorization, {
    kind: 'bearer',
    token: { setting: 'bearer_token of the receiver tickets', configured: 't0ken', file: tokenFile },
  });
});

const wrong: Readonly<Record<string, readonly [changes: Parameters<typeof webhookEntry>[1], wanted: RegExp]>> = {
  'a name with a blank': [{ name: 'my tickets' }, /^"my tickets" cannot be the name of a receiver$/],
  'the name of a target': [{ name: 'kafka' }, /^"kafka" cannot be the name/],
  'a type that there is not': [{ type: 'pager' }, /^type of \[\[receivers\]\] 1 in .*, line \d+ must be one of/],
  'no address': [{ url: '' }, /^url of the receiver tickets is missing$/],
  'no URL': [{ url: 'hooks.example.com' }, /^url of the receiver tickets is no address$/],
  'another scheme': [{ url: 'ftp://hunter2.example.com' }, /^url of the receiver tickets is no address$/],
  'a password in the address': [{ url: 'https://a:hunter2@example.com/' }, /^url of .* holds a user or a password$/],
  'a metadata service': [{ url: 'http://169.254.169.254/latest' }, /^url of .* is link-local, or where/],
  'one written in another way': [{ url: 'http://0xa9fea9fe/' }, /^url of .* is link-local, or where/],
  'one in IPv6': [{ url: 'http://[::ffff:169.254.169.254]/' }, /^url of .* is link-local, or where/],
  'one by its name': [{ url: 'http://metadata.google.internal./' }, /^url of .* is link-local, or where/],
  'no key': [{ signing_key: '' }, /^signing_key of the receiver tickets is missing$/],
  'a key that is too short': [{ signing_key: `whsec_${'a'.repeat(8)}` }, /^signing_key of .* is no key$/],
  'a key without its prefix': [{ signing_key: 'hunter2'.repeat(9) }, /^signing_key of .* is no key$/],
  'a key where nothing is signed': [{ format: 'slack' }, /^signing_key of .* has no effect with the format slack$/],
  'two authorizations': [{ bearer_token: 'a', username: 'b' }, /^bearer_token of .* is set beside username/],
  'a user without a password': [{ username: 'b' }, /^password of the receiver tickets is missing$/],
  'half a certificate': [{ client_cert_file: '/x' }, /^client_key_file of the receiver tickets is missing$/],
  'no header': [{ headers: ['X-Team'] }, /^headers of the receiver tickets holds what is no header$/],
  'two headers in one': [{ headers: ['X-Team: a\r\nX-More: b'] }, /^headers of .* holds what is no header$/],
  'a header of ours': [{ headers: ['Webhook-Id: a'] }, /^headers of .* sets Webhook-Id, which is not its to set$/],
  'no proxy': [{ proxy_url: 'proxy:3128/x' }, /^proxy_url of .* is no address of a proxy$/],
  'an organization that is none': [{ organizations: ['ours'] }, /^organizations of .* holds what is no number$/],
  'a cluster that is none': [{ clusters: ['ours'] }, /^clusters of .* holds what is no UUID$/],
  'what only mails have': [{ to: ['ada@example.com'] }, /^to of .* has no effect with the type webhook$/],
  'the interval of an Alertmanager': [{ interval: '30s' }, /^interval of .* has no effect with the type webhook$/],
  'a key that there is not': [{ ulr: 'x' }, /^unknown key ulr of \[\[receivers\]\] 1 in .*, line \d+$/],
};

for (const [what, [changes, wanted]] of Object.entries(wrong)) {
  test(`refused by name: ${what}`, () => {
    try {
      settingsOf(webhookEntry(url, changes));
    } catch (error) {
      assert.ok(error instanceof CcxError);
      assert.match(`${error.message}`, wanted);
      assert.notEqual(error.hint ?? '', '');
      assert.doesNotMatch(`${errorText(error)} ${error.hint}`, /hunter2|s3cret/);
      return;
    }
    assert.fail('it was accepted');
  });
}

test('link-local is for whoever says so; a key before the one in force is taken beside it', () => {
  const settings = webhookOf(
    webhookEntry('http://169.254.1.1/', { allow_link_local: true, signing_key_old: oldSigningKey }),
  );
  assert.equal(settings.allowLinkLocal, true);
  assert.deepEqual(
    settings.signingKeys.map(({ configured }) => configured),
    [testSigningKey, oldSigningKey],
  );
});

test('of an address only scheme and host are shown', () => {
  assert.equal(maskedUrl(url), 'https://hooks.example.com/…');
  assert.equal(maskedUrl('https://example.com:8443/'), 'https://example.com:8443/');
  assert.equal(maskedUrl('https://example.com/?key=s3cret'), 'https://example.com/…');
});
