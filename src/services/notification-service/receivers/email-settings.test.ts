/** `[[receivers]]` of type email: what is taken, what is refused by name, and that no text is taken for an address that it is not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { emailEntry } from '../../../../test/support/mail-server.ts';
import { temporaryFile } from '../../../../test/support/temporary-folder.ts';
import { testSeed } from '../../../../test/support/test-seed.ts';
import { receiversToml } from '../../../../test/support/webhook-receiver.ts';
import { CcxError, errorText } from '../../../encoding/ccx-error.ts';
import { loadConfig } from '../../../platform/config/load-config.ts';
import { notificationServiceOptions } from '../config.ts';
import { type EmailSettings, parseMailbox, recipientsMax } from './email-settings.ts';
import { receiverSettings } from './receiver-settings.ts';

type Entry = Parameters<typeof receiversToml>[0][number];

function settingsOf(entry: Entry): EmailSettings {
  const file = temporaryFile('notifier.toml', receiversToml([entry]));
  const [receiver] = receiverSettings(loadConfig(notificationServiceOptions, { env: {}, file }).lists.receivers);
  return receiver!.settings as EmailSettings;
}

const { ca_file: _, smtp_port: __, ...least } = emailEntry({ port: 1 });

test('a mail needs a sender, recipients and a server; all else has a default', () => {
  const settings = settingsOf(least);
  assert.deepEqual(settings.recipients, [{ name: 'Ada', address: 'ada@example.com' }]);
  assert.deepEqual(settings.from, { name: 'CCX', address: 'ccx@example.org' });
  assert.equal(settings.envelopeFrom, 'ccx@example.org');
  assert.equal(settings.messageIdDomain, 'example.org');
  assert.equal(settings.smtp.greetsAs, 'example.org');
  const { security, port, login, timeoutMs } = settings.smtp;
  assert.deepEqual(
    { security, port, login, timeoutMs },
    { security: 'starttls', port: 587, login: undefined, timeoutMs: 15_000 },
  );
  assert.equal(settingsOf({ ...least, smtp_tls: 'tls' }).smtp.port, 465);
});

test('envelope sender and domain are settings, and the password may lie in a file that is named to whoever reads it again', () => {
  const password_file = temporaryFile('password', 'hunter2\n');
  const settings = settingsOf({
    ...least,
    ...{
      envelope_from: 'bounces@mail.example.org',
      message_id_domain: 'ids.example.org',
      username: 'ccx',
      password_file,
    },
  });
  assert.equal(settings.envelopeFrom, 'bounces@mail.example.org');
  assert.equal(settings.messageIdDomain, 'ids.example.org');
  assert.deepEqual(settings.smtp.login, {
    username: 'ccx',
    password: { setting: 'password of the receiver ops', configured: 'hunter2', file: password_file },
  });
});

const wrong: Readonly<Record<string, readonly [changes: Entry, wanted: RegExp]>> = {
  'nobody to write to': [{ to: [] }, /^to of the receiver ops is missing$/],
  'no sender': [{ from: '' }, /^from of the receiver ops is missing$/],
  'no server': [{ smtp_host: '' }, /^smtp_host of the receiver ops is missing$/],
  'a word for an address': [{ to: ['ada'] }, /^to of the receiver ops holds what is no address: "ada"$/],
  'two addresses in one': [{ to: ['a@example.com, b@example.com'] }, /^to of .* holds what is no address/],
  'a group': [{ to: ['team: a@example.com;'] }, /^to of .* holds what is no address/],
  'a header in an address': [{ to: ['a@example.com\r\nBcc: b@example.com'] }, /^to of .* holds what is no address/],
  'a header in a name': [{ from: 'A\nBcc: b@example.com <a@example.com>' }, /^from of .* holds what is no address/],
  'a name that reads the other way round': [{ to: ['\u202emoc <a@example.com>'] }, /^to of .* holds what is no/],
  'an address that hides another': [{ to: ['"a@evil.example x"@example.com'] }, /^to of .* holds what is no address/],
  'one twice': [{ to: ['a@example.com', 'A@Example.com'] }, /^to of .* holds an address twice$/],
  'too many': [
    { to: Array.from({ length: recipientsMax + 1 }, (_, index) => `a${index}@example.com`) },
    /^to of .* holds more than 50 addresses$/,
  ],
  'a password in the server': [
    { smtp_host: 'ccx:hunter2@mail.example.com' },
    /^smtp_host of .* is no name of a server$/,
  ],
  'a URL': [{ smtp_host: 'smtp://mail.example.com' }, /^smtp_host of .* is no name of a server$/],
  'a metadata service': [{ smtp_host: '169.254.169.254' }, /^smtp_host of .* is link-local/],
  'no domain': [{ message_id_domain: 'a>b' }, /^message_id_domain of .* is no domain$/],
  'a user without a password': [{ username: 'ccx' }, /^password of .* is missing$/],
  'a password without a user': [{ password: 'hunter2' }, /^username of .* is missing$/],
  'a password in plain text': [
    { smtp_tls: 'none', username: 'ccx', password: 'hunter2' },
    /^username of .* is set, and smtp_tls is none$/,
  ],
  'another security': [{ smtp_tls: 'maybe' }, /^smtp_tls of .* must be one of/],
  'what only a webhook has': [{ url: 'https://hunter2.example.com' }, /^url of .* has no effect with the type email$/],
};

for (const [what, [changes, wanted]] of Object.entries(wrong)) {
  test(`a mail is refused by name: ${what}`, () => {
    try {
      settingsOf({ ...least, ...changes });
    } catch (error) {
      assert.ok(error instanceof CcxError);
      assert.match(error.message, wanted);
      assert.notEqual(error.hint ?? '', '');
      assert.doesNotMatch(`${errorText(error)} ${error.hint}`, /hunter2/);
      return;
    }
    assert.fail('it was accepted');
  });
}

test('international domains are written in ASCII, and IPv6 addresses are servers', () => {
  assert.equal(parseMailbox('ada@Bücher.example')?.address, 'ada@xn--bcher-kva.example');
  assert.equal(parseMailbox('ädä@example.com'), undefined);
  assert.equal(parseMailbox(`${'a'.repeat(65)}@example.com`), undefined);
  assert.equal(settingsOf({ ...least, smtp_host: '::1' }).smtp.host, '::1');
});

const seed = testSeed();

test(`whatever is taken for an address can be nothing else in an envelope or a header (seed ${seed})`, () => {
  const alphabet = fc.constantFrom(...'ab@.<>",:;()\\ \r\n\t\0\u202e\u2028é[]=?'.split(''));
  const texts = fc.oneof(
    fc.array(alphabet, { maxLength: 24 }).map((characters) => characters.join('')),
    fc.array(alphabet, { maxLength: 8 }).map((characters) => `${characters.join('')} <a@b.example>`),
    fc.array(alphabet, { maxLength: 8 }).map((characters) => `a@b.example${characters.join('')}`),
  );
  let taken = 0;
  fc.assert(
    fc.property(texts, (text) => {
      const mailbox = parseMailbox(text);
      if (mailbox === undefined) return;
      taken += 1;
      assert.match(mailbox.address, /^[a-z0-9.=?]+@[a-z0-9.-]+$/);
      assert.doesNotMatch(mailbox.name, /[\r\n\0\u202e\u2028]/);
      assert.ok(text.toLowerCase().includes(mailbox.address.split('@')[0]!));
    }),
    { seed, numRuns: 3_000 },
  );
  assert.ok(taken > 50, `${taken} were taken`);
});
