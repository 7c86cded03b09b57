/** What a mail server is handed and how, with a real one: TLS, login, threads, texts that stay texts, and what each of its answers means. */
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { after, afterEach, test } from 'node:test';
import fc from 'fast-check';
import { simpleParser } from 'mailparser';
import { firstCertificate, secondCertificate } from '../../../../../test/support/certificates.ts';
import { clusterId, dueIssue } from '../../../../../test/support/due-cluster.ts';
import { emailEntry, type MailServer, mailUser, startMailServer } from '../../../../../test/support/mail-server.ts';
import { temporaryFile } from '../../../../../test/support/temporary-folder.ts';
import { testSeed } from '../../../../../test/support/test-seed.ts';
import { unusedPort } from '../../../../../test/support/test-server.ts';
import { openTestReceivers, receiversToml } from '../../../../../test/support/webhook-receiver.ts';
import { type Clock, createSystemClock } from '../../../../platform/clock/clock.ts';
import { createManualClock } from '../../../../platform/clock/manual-clock.ts';
import type { DeliveryResult, OutgoingNotification, ReceiverTarget } from '../../ports.ts';

const clock = createSystemClock();
const context = { now: new Date('2026-11-21T16:00:00Z'), uuid: () => clock.uuid() };
const server = await startMailServer();
const closing: ReceiverTarget[] = [];

afterEach(async () => {
  for (const target of closing.splice(0)) await target.close();
  server.taken.length = 0;
  server.answerSender = server.answerRecipient = server.answerMail = () => undefined;
});
after(() => server.close());

type Changes = Parameters<typeof emailEntry>[1];

async function openAll(of: Pick<MailServer, 'port'>, changes: Changes = {}, at: Clock = clock) {
  const receivers = await openTestReceivers(receiversToml([emailEntry(of, changes)]), at);
  const targets = receivers.map(({ target }) => target);
  closing.push(...targets);
  return targets;
}

async function open(changes: Changes = {}, of: Pick<MailServer, 'port'> = server): Promise<ReceiverTarget> {
  return (await openAll(of, changes))[0]!;
}

function clusterOf(issues: ReturnType<typeof dueIssue>[], cluster = clusterId) {
  const about = { orgId: 7, accountNumber: 7, cluster, reportUpdatedAt: '2026-11-21 16:00:00' };
  return { ...about, requestId: undefined, issues };
}

async function composed(
  target: ReceiverTarget,
  ...issues: ReturnType<typeof dueIssue>[]
): Promise<OutgoingNotification> {
  const messages = await target.compose(clusterOf(issues.length === 0 ? [dueIssue()] : issues), context);
  assert.equal(messages.length, 1);
  return messages[0]!;
}

async function send(
  target: ReceiverTarget,
  notification?: OutgoingNotification,
  { signal } = new AbortController(),
): Promise<DeliveryResult> {
  return await target.deliver({
    notification: notification ?? (await composed(target)),
    mayHaveArrived: false,
    signal,
  });
}

/** Kind, and the code of what went wrong. */
function told(result: DeliveryResult): string {
  return result.kind === 'delivered' ? 'delivered' : `${result.kind} ${result.error.code}`;
}

test('it goes out over STARTTLS, byte for byte as it was composed, to one recipient, from the sender of the envelope', async () => {
  const target = await open({ envelope_from: 'bounces@example.org', message_id_domain: 'ids.example.org' });
  assert.equal(target.name, 'ops/ada@example.com');
  assert.equal(target.address, `ada@example.com by smtp://127.0.0.1:${server.port}`);
  const notification = await composed(target, dueIssue(), dueIssue({ errorKey: 'OTHER', totalRisk: 4 }));
  const result = await send(target, notification);
  assert.equal(told(result), 'delivered');
  const [taken] = server.taken;
  assert.equal(taken!.raw, notification.body);
  assert.match(taken!.raw, /^[\t\r\n\x20-\x7e]*$/);
  assert.ok(taken!.secure);
  assert.equal(taken!.from, 'bounces@example.org');
  assert.deepEqual(taken!.to, ['ada@example.com']);
  assert.equal(taken!.greeting, 'ids.example.org');
  const { mail } = taken!;
  assert.equal(mail.messageId, `<${notification.id}@ids.example.org>`);
  assert.equal(mail.references, `<cluster-${clusterId}@ids.example.org>`);
  assert.equal(mail.inReplyTo, mail.references);
  assert.equal(mail.headers.get('auto-submitted'), 'auto-generated');
  assert.equal(mail.subject, `[critical] 2 recommendations for cluster ${clusterId}`);
  assert.equal(mail.date?.toISOString(), '2026-11-21T16:00:00.000Z');
  assert.match(
    mail.text!,
    /\* A node is not ready\n {2}important, NODE_NOT_READY\n {2}https:\/\/console\.redhat\.com\//,
  );
  assert.match(String(mail.html), /<li><a href="https:[^"]*" rel="noreferrer">A node is not ready<\/a>/);
});

test('resolved and a repeat stand in the thread of the cluster, which another cluster does not share', async () => {
  const target = await open();
  const first = await composed(target);
  const { rule, content, type, component, errorKey } = dueIssue();
  const resolved = { cluster: clusterId, reports: 2, rule, content, type, component, errorKey };
  const second = await target.composeResolved!(resolved, context);
  const [third] = await target.compose(clusterOf([dueIssue()], clusterId.replace('5', '6')), context);
  const [a, b, c] = await Promise.all([first, second, third!].map(({ body }) => simpleParser(body)));
  assert.equal(b!.references, a!.references);
  assert.notEqual(c!.references, a!.references);
  assert.equal(b!.subject, `[resolved] A node is not ready on cluster ${clusterId}`);
  const later = { now: new Date('2026-11-22T16:00:00Z'), uuid: () => first.id };
  const again = await simpleParser(target.reissue(first, later).body);
  assert.equal(again.messageId, a!.messageId);
  assert.equal(again.date?.toISOString(), '2026-11-22T16:00:00.000Z');
  const anew = target.reissue(first, { ...later, uuid: () => clock.uuid() });
  assert.equal((await simpleParser(anew.body)).messageId, `<${anew.id}@example.org>`);
  assert.notEqual(anew.id, first.id);
  assert.throws(() => target.reissue({ ...first, body: 'no mail' }, later), /the stored mail has no Message-ID/);
});

test('a test says that it is one; a cluster with many issues has one mail, which counts what it does not name', async () => {
  const target = await open();
  const tested = await simpleParser((await target.composeTest(context)).body);
  assert.equal(tested.subject, '[test] CCX Notifications');
  assert.match(tested.text!, /^This is a test of CCX Notifications, and about nothing\.\n/);
  const issues = Array.from({ length: 130 }, (_, index) => dueIssue({ errorKey: `KEY_${index}` }));
  const many = await composed(target, ...issues);
  assert.equal(many.issues.length, 130);
  assert.match((await simpleParser(many.body)).text!, /KEY_99\n[\s\S]*… and 30 more/);
});

const seed = testSeed();

test(`no text of somebody else becomes a header, markup, or what reads the other way round (seed ${seed})`, async () => {
  const target = await open();
  const hostile = fc.stringMatching(/^[a-z<>"'&\r\n\0\u202e\u2066\u2028\u200b:=?é😀 \t-]{0,60}$/u);
  const headers = ['auto-submitted', 'content-type', 'date', 'from', 'in-reply-to', 'message-id', 'mime-version'];
  const wanted = [...headers, 'references', 'subject', 'to', 'x-auto-response-suppress'];
  await fc.assert(
    fc.asyncProperty(hostile, hostile, hostile, async (title, key, cluster) => {
      const texts = {
        description: `x${title}\r\nBcc: b@example.com\r\n\r\n<img src=//evil>`,
        errorKey: `K${key}\nBcc: b`,
      };
      const [message] = await target.compose(clusterOf([dueIssue(texts)], `${cluster}\r\nBcc: b@example.com`), context);
      const { body } = message!;
      assert.match(body, /^[\t\r\n\x20-\x7e]*$/);
      assert.doesNotMatch(body.replaceAll('\r\n', ''), /[\r\n]/);
      const mail = await simpleParser(body);
      assert.deepEqual([...mail.headers.keys()].sort(), wanted);
      assert.equal(mail.attachments.length, 0);
      const shown = `${mail.subject}${mail.text}${mail.html}`;
      assert.doesNotMatch(shown, /[\0\u202a-\u202e\u2066-\u2069\u2028\u200b]/);
      const tags = [...String(mail.html).matchAll(/<\/?([a-z!][a-z]*)[^>]*>/gi)].map(([, name]) => name!.toLowerCase());
      const own = new Set(['!doctype', 'html', 'head', 'meta', 'body', 'p', 'ul', 'li', 'a', 'br', 'small']);
      assert.deepEqual(
        tags.filter((name) => !own.has(name)),
        [],
      );
      assert.doesNotMatch(String(mail.html), /<[^>]*\b(?:src|srcset|style|onload)=/i);
    }),
    { seed, numRuns: 150 },
  );
});

test('a password is read again when its file changes, and 535 pauses everything without showing it', async () => {
  const secured = await startMailServer({ password: 'old' });
  try {
    const password_file = temporaryFile('password', 'old\n');
    const target = await open({ username: mailUser, password_file }, secured);
    assert.equal(told(await send(target)), 'delivered');
    assert.equal(secured.taken[0]!.user, mailUser);
    await target.close();
    await writeFile(password_file, 's3cret-word');
    const refused = await send(target);
    assert.equal(told(refused), 'paused MAIL_LOGIN_REFUSED');
    assert.deepEqual(secured.logins.at(-1), `${mailUser}:s3cret-word`);
    assert.doesNotMatch(JSON.stringify(refused), /s3cret-word/);
    secured.answerLogin = () => ({ status: 454, text: '4.7.0 temporary failure' });
    assert.equal(told(await send(target)), 'retry MAIL_SERVER_BUSY');
    secured.answerLogin = () => undefined;
    await rm(password_file);
    assert.match(told(await send(target)), /^paused /);
    const nobody = await open({}, secured);
    assert.equal(told(await send(nobody)), 'paused MAIL_SENDER_REFUSED', '530: a login is wanted');
    assert.equal(secured.taken.length, 1);
  } finally {
    await secured.close();
  }
});

test('nothing goes out in plain text where TLS is asked for, nor to a server that is not trusted', async () => {
  const plain = await startMailServer({ isPlain: true });
  const other = await startMailServer({ certificate: secondCertificate });
  const secure = await startMailServer({ secure: true });
  try {
    assert.equal(told(await send(await open({}, plain))), 'paused MAIL_NOT_SECURE');
    assert.equal(told(await send(await open({}, other))), 'paused MAIL_NOT_TRUSTED');
    assert.equal(told(await send(await open({ smtp_tls: 'tls', ca_file: '' }, secure))), 'paused MAIL_NOT_TRUSTED');
    assert.equal(told(await send(await open({ smtp_tls: 'tls' }, plain))), 'paused MAIL_NOT_SECURE');
    assert.deepEqual([...plain.taken, ...other.taken, ...secure.taken], []);
    assert.equal(told(await send(await open({ smtp_tls: 'tls' }, secure))), 'delivered');
    assert.equal(told(await send(await open({ smtp_tls: 'none', ca_file: '' }, plain))), 'delivered');
    assert.equal(told(await send(await open({ ca_file: '/nowhere' }))), 'paused RECEIVER_FILE');
  } finally {
    for (const one of [plain, other, secure]) await one.close();
  }
});

test('a renewed authority counts with the next connection', async () => {
  const ca_file = temporaryFile('ca.crt', secondCertificate.cert);
  const target = await open({ ca_file });
  assert.equal(told(await send(target)), 'paused MAIL_NOT_TRUSTED');
  await writeFile(ca_file, firstCertificate.cert);
  assert.equal(told(await send(target)), 'delivered');
});

test('4yz is tried again, 5yz about mail or recipient is the end of it, and about the sender waits for a person', async () => {
  const target = await open();
  const answers = [
    ['answerRecipient', 451, 'retry MAIL_DEFERRED'],
    ['answerRecipient', 550, 'rejected MAIL_REJECTED'],
    ['answerMail', 452, 'retry MAIL_DEFERRED'],
    ['answerMail', 554, 'rejected MAIL_REJECTED'],
    ['answerSender', 552, 'rejected MAIL_REJECTED'],
    ['answerSender', 451, 'retry MAIL_SERVER_BUSY'],
    ['answerSender', 553, 'paused MAIL_SENDER_REFUSED'],
  ] as const;
  for (const [step, status, wanted] of answers) {
    server[step] = () => ({ status, text: '5.1.1 no such user\u202e here' });
    const result = await send(target);
    assert.equal(told(result), wanted, `${step} ${status}`);
    assert.ok(result.kind !== 'delivered');
    assert.match(result.error.message, new RegExp(`the mail server answers ${status} .*no such user`));
    server[step] = () => undefined;
  }
  assert.deepEqual(server.taken, []);
  assert.equal(told(await send(target)), 'delivered');
});

test('where the answer to the mail is lost it may be there, and before that it is not', async () => {
  const target = await open();
  server.answerMail = () => ({ status: 0 });
  assert.equal(told(await send(target)), 'unknown MAIL_AMBIGUOUS');
  server.answerMail = () => undefined;
  server.answerRecipient = () => ({ status: 0 });
  assert.equal(told(await send(target)), 'retry MAIL_NOT_TAKEN');
  server.answerRecipient = () => undefined;
  assert.equal(told(await send(await open({}, { port: await unusedPort() }))), 'unreachable MAIL_SERVER_UNREACHABLE');
});

test('a connection is used again, and one that the server has ended is not missed', async () => {
  const [ada, ben] = await openAll(server, { to: ['ada@example.com', 'ben@example.com'] });
  for (const target of [ada!, ben!, ada!]) assert.equal(told(await send(target)), 'delivered');
  assert.equal(new Set(server.taken.map(({ connection }) => connection)).size, 1);
  assert.deepEqual(
    server.taken.map(({ to }) => to.join()),
    ['ada@example.com', 'ben@example.com', 'ada@example.com'],
  );
  server.answerRecipient = () => {
    server.answerRecipient = () => undefined;
    return { status: 0 };
  };
  assert.equal(told(await send(ben!)), 'delivered', 'over another');
  assert.equal(new Set(server.taken.map(({ connection }) => connection)).size, 2);
});

test('called off, it is not sent when nothing was, and may be there when it was', async () => {
  const target = await open();
  const before = new AbortController();
  before.abort();
  assert.equal(told(await send(target, undefined, before)), 'retry DELIVERY_ABORTED');
  const during = new AbortController();
  server.answerMail = () => {
    during.abort();
    return undefined;
  };
  const result = told(await send(target, undefined, during));
  assert.ok(result === 'unknown MAIL_AMBIGUOUS' || result === 'delivered', result);
});

test('so many in a second go out, to all recipients together, and who is called off gives the turn to the next', async () => {
  const manual = createManualClock();
  const [ada, ben] = await openAll(server, { rate: 2, to: ['ada@example.com', 'ben@example.com'] }, manual);
  const calledOff = new AbortController();
  const [first, second, third] = [await composed(ada!), await composed(ben!), await composed(ada!)];
  const results = [send(ada!, first), send(ada!, third, calledOff), send(ben!, second)];
  assert.equal(told(await results[0]!), 'delivered');
  assert.equal(server.taken.length, 1);
  calledOff.abort();
  assert.equal(told(await results[1]!), 'retry DELIVERY_ABORTED');
  await manual.advance(499);
  assert.equal(server.taken.length, 1);
  await manual.advance(1);
  assert.equal(told(await results[2]!), 'delivered');
  const next = send(ada!, third);
  await manual.advance(500);
  assert.equal(told(await next), 'delivered');
  assert.equal(server.taken.length, 3);
});
