/** What people ask the outbox, and what they want done with a message: chosen by every filter, page by page, done once, audited. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  dayMs,
  failure,
  hourMs,
  reportOf,
  type Timeline,
  testCluster,
  withTimeline,
} from '../../../test/support/notification-timeline.ts';
import { readAudit } from '../../platform/records/audit.ts';
import type { Deed } from './decide/judge-wish.ts';
import { formatMessage, formatMessageInFull } from './format-message.ts';
import {
  eachMessage,
  findMessage,
  grantWish,
  LISTED_STATES,
  type ListedMessage,
  listOpen,
  type MessageFilter,
  readSurroundings,
} from './store/messages.ts';
import { timestampText } from './timestamps.ts';

const bothTargets = { targets: ['notification-backend', 'service-log'] } as const;
const givenUp = { states: ['dead', 'unknown'] } as const;

async function list(
  { database }: Timeline,
  filter: Partial<MessageFilter> = {},
  page: { readonly after?: ListedMessage; readonly messagesMax: number } = { messagesMax: 100 },
): Promise<ListedMessage[]> {
  const messages: ListedMessage[] = [];
  for await (const message of eachMessage(database, { states: LISTED_STATES, ...filter }, page)) messages.push(message);
  return messages;
}

async function wish(
  { database }: Timeline,
  deed: Deed,
  ids: readonly string[],
  { isDryRun = false, reason = 'why not' } = {},
): Promise<string[]> {
  const by = { actor: 'ada', origin: 'test', reason, action: `notifications ${deed}` } as const;
  const granted = await grantWish(database, { deed, isDryRun, by }, ids);
  assert.deepEqual(
    granted.map(({ id }) => id),
    ids,
  );
  return granted.map(({ judgement }) => (judgement.kind === 'possible' ? 'done' : judgement.reason));
}

async function refuseAll(line: Timeline, code = 'REFUSED'): Promise<ListedMessage[]> {
  line.serviceLog.answer = () => ({ kind: 'rejected', error: failure(code) });
  await line.store(reportOf('CRITICAL', 'IMPORTANT'));
  await line.run();
  return await list(line, { states: ['dead'] });
}

test('a dead message is shown with its bytes, tried again once under a new id, and who asked for it is audited', () =>
  withTimeline(bothTargets, async (line) => {
    const [dead, other] = await refuseAll(line);
    const [delivered] = await list(line, { states: ['delivered'] });
    assert.deepEqual(
      [dead!.body, other!.body].sort(),
      line.serviceLog.attempts.map(({ notification }) => notification.body).sort(),
    );
    assert.match(formatMessage(dead!, new Map()), new RegExp(`^${dead!.id}  dead .*${testCluster}  \\w+  REFUSED: `));

    const missing = '00000000-0000-4000-8000-000000000000';
    const ids = [delivered!.id, dead!.id, missing];
    assert.deepEqual(await wish(line, 'retry', ids, { isDryRun: true }), ['delivered', 'done', 'unknown-id']);
    assert.deepEqual(await readAudit(line.database, { rowsMax: 10 }), []);
    assert.deepEqual(await wish(line, 'retry', ids), ['delivered', 'done', 'unknown-id']);
    assert.deepEqual(await wish(line, 'retry', [dead!.id]), ['retry-requested']);
    line.serviceLog.answer = () => ({ kind: 'delivered', detail: '' });
    await line.run();
    assert.deepEqual(
      line.serviceLog.told(),
      dead!.issues.map(({ errorKey }) => errorKey),
    );
    assert.deepEqual(await wish(line, 'retry', [dead!.id]), ['sent-again']);

    const [row, ...others] = await readAudit(line.database, { rowsMax: 10 });
    const { actor, action, subject, before, after, reason } = row!;
    assert.deepEqual(
      [actor, action, subject, reason, before, after],
      [
        ...['ada', 'notifications retry', `notifications/${dead!.id}`, 'why not'],
        ...[{ state: 'dead' }, { state: 'dead', retryRequested: true }],
      ],
    );
    assert.deepEqual(others, []);
  }));

test('a discarded message stays readable, is chosen by no filter any more, and may be tried again by its id', () =>
  withTimeline(bothTargets, async (line) => {
    const [one, two] = await refuseAll(line);
    assert.deepEqual(await listOpen(line.database, givenUp, 10), [one!.id, two!.id]);
    assert.deepEqual(await wish(line, 'discard', [one!.id], { reason: 'seen\0' }), ['done']);
    assert.deepEqual(await wish(line, 'discard', [one!.id]), ['discarded']);
    assert.deepEqual(await listOpen(line.database, givenUp, 10), [two!.id]);
    assert.equal((await findMessage(line.database, one!.id))!.discard_note, 'seen\ufffd');
    const [row, ...others] = await readAudit(line.database, { rowsMax: 10 });
    assert.deepEqual(
      [row!.action, row!.before, row!.after],
      ['notifications discard', { state: 'open' }, { state: 'discarded' }],
    );
    assert.deepEqual(others, []);
    assert.deepEqual(await wish(line, 'retry', [one!.id]), ['done']);
    assert.deepEqual(await wish(line, 'discard', [one!.id]), ['retry-requested']);
  }));

test('who asked for a retry need not wait where its message is withdrawn: the issue is notified when it is back', () =>
  withTimeline({ targets: ['notification-backend'] }, async (line) => {
    line.kafka.answer = () => ({ kind: 'rejected', error: failure('REFUSED') });
    await line.store(reportOf('CRITICAL'));
    await line.run();
    line.kafka.answer = () => ({ kind: 'delivered', detail: '' });
    const [dead] = await list(line, { states: ['dead'] });
    await line.store(reportOf());
    assert.deepEqual(await wish(line, 'retry', [dead!.id]), ['done']);
    await line.run();
    assert.deepEqual(await line.outboxStates(), { dead: 1, withdrawn: 1 });
    await line.store(reportOf('CRITICAL'));
    assert.deepEqual((await line.run()).decisions, { 'tried-again': 1 });
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
  }));

test('a retry of an old message, by hand, starts the cooldown of an issue that a later one had notified', () =>
  withTimeline({ targets: ['notification-backend'] }, async (line) => {
    line.kafka.answer = () => ({ kind: 'rejected', error: failure('REFUSED') });
    await line.store(reportOf('CRITICAL'));
    await line.run();
    line.kafka.answer = () => ({ kind: 'delivered', detail: '' });
    const [dead] = await list(line, { states: ['dead'] });
    await line.clock.advance(dayMs + 1_000);
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
    await line.clock.advance(13 * hourMs);
    assert.deepEqual(await wish(line, 'retry', [dead!.id]), ['done']);
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL'], 'as asked');
    await line.clock.advance(dayMs - 1);
    await line.run();
    assert.deepEqual(line.kafka.told(), [], 'a day after that');
    await line.clock.advance(2);
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
  }));

test('a message that the target cannot make anew stays dead with that reason, and holds nothing up', () =>
  withTimeline({ targets: ['service-log'] }, async (line) => {
    const dead = await refuseAll(line);
    await wish(
      line,
      'retry',
      dead.map(({ id }) => id),
    );
    line.serviceLog.reissue = () => {
      throw failure('NOT_READABLE');
    };
    await line.run();
    const refused = await list(line, { reason: 'NOT_READABLE' });
    assert.deepEqual(
      refused.map(({ state, replaced_by }) => [state, replaced_by]),
      dead.map(() => ['dead', null]),
    );
    await line.run();
    assert.equal(line.serviceLog.attempts.length, 2);
  }));

test('every filter chooses what it says, and pages go on where the one before ended', () =>
  withTimeline(bothTargets, async (line) => {
    line.serviceLog.answer = ({ notification }) => ({
      kind: 'rejected',
      error: failure(notification.cluster.startsWith('a') ? 'REFUSED' : 'TOO_LONG'),
    });
    for (const cluster of ['a', 'b']) await line.store(reportOf('CRITICAL', 'IMPORTANT'), { cluster });
    await line.run();
    await line.clock.advance(2 * hourMs);
    const between = timestampText(line.clock.nowMicros());
    line.kafka.answer = () => ({ kind: 'retry', error: failure('AWAY'), afterMs: 0 });
    await line.store(reportOf('CRITICAL', 'LOW'), { cluster: 'c' });
    await line.run();

    const found = async (filter: Partial<MessageFilter>) =>
      (await list(line, filter)).map(({ cluster, event_type_id, state }) => `${cluster}${event_type_id} ${state}`);
    const all = await found({});
    assert.deepEqual(all.slice(0, 2).sort(), ['c1 pending', 'c2 dead']);
    assert.deepEqual(all.slice(2).sort(), [
      ...['a1 delivered', 'a2 dead', 'a2 dead'],
      ...['b1 delivered', 'b2 dead', 'b2 dead'],
    ]);
    assert.deepEqual(await found({ states: ['pending'] }), ['c1 pending']);
    assert.deepEqual(await found({ states: ['pending', 'delivered'], eventTargetId: 2 }), []);
    assert.deepEqual((await found({ eventTargetId: 1 })).length, 3);
    assert.deepEqual(await found({ cluster: 'a', eventTargetId: 1 }), ['a1 delivered']);
    assert.deepEqual(await found({ reason: 'REFUSED' }), ['a2 dead', 'a2 dead']);
    assert.deepEqual(await found({ reason: 'AWAY' }), ['c1 pending']);
    assert.deepEqual((await found({ decidedSince: between })).sort(), ['c1 pending', 'c2 dead']);
    assert.equal((await found({ decidedUntil: between })).length, 6);
    assert.equal((await listOpen(line.database, { ...givenUp, decidedUntil: between }, 3)).length, 3);
    assert.equal((await listOpen(line.database, { ...givenUp, reason: 'TOO_LONG' }, 10)).length, 3);

    const whole = await list(line);
    const pages: ListedMessage[] = [];
    for (;;) {
      const after = pages.at(-1);
      const page = await list(line, {}, { messagesMax: 3, ...(after === undefined ? {} : { after }) });
      if (page.length === 0) break;
      pages.push(...page);
    }
    assert.deepEqual(
      pages.map(({ id }) => id),
      whole.map(({ id }) => id),
    );
  }));

test('a withdrawn message is found by each of the reasons it was withdrawn for', () =>
  withTimeline({ targets: ['service-log'] }, async (line) => {
    line.serviceLog.answer = () => ({ kind: 'retry', error: failure('AWAY'), afterMs: 0 });
    await line.store(reportOf('CRITICAL'));
    await line.run();
    await line.store(reportOf('IMPORTANT'));
    await line.clock.advance(hourMs);
    await line.run();
    const [withdrawn, ...others] = await list(line, { reason: 'gone' });
    assert.deepEqual([withdrawn?.state, others.length], ['withdrawn', 0]);
    // As an earlier release named it.
    await line.database.query(`UPDATE ccx.notification_outbox SET error_text = 'below-threshold, resolved'`);
    for (const reason of ['gone', 'below-threshold']) assert.equal((await list(line, { reason })).length, 1, reason);
    assert.deepEqual((await list(line, { reason: 'WITHDRAWN' })).length, 1);
    assert.deepEqual(await wish(line, 'retry', [withdrawn!.id]), ['withdrawn']);
  }));

test('all that is known about a message is shown: its attempts, its error, its issues as they stand now, its bytes', () =>
  withTimeline({ targets: ['service-log'] }, async (line) => {
    const [dead] = await refuseAll(line);
    await wish(line, 'retry', [dead!.id]);
    line.serviceLog.answer = () => ({ kind: 'delivered', detail: '' });
    await line.run();
    const show = async (id: string) => {
      const message = (await findMessage(line.database, id))!;
      const full = { ...message, ...(await readSurroundings(line.database, message)), trace: [] };
      return formatMessageInFull(full, new Map());
    };
    const successor = (await findMessage(line.database, dead!.id))!.replaced_by!;
    const { errorKey, component } = dead!.issues[0]!;
    const before = await show(dead!.id);
    assert.match(
      before,
      new RegExp(`^notification +${dead!.id}\nstate +dead\ntarget +Service Log\ncluster +${testCluster}$`, 'm'),
    );
    assert.match(before, /^attempts +1$/m);
    assert.match(before, /^error +REFUSED: as the test wants it$/m);
    assert.match(before, new RegExp(`^sent again as +${successor}$`, 'm'));
    assert.match(
      before,
      new RegExp(`^issues\n  ${errorKey}  ${component}  notified, told by ${successor} since  `, 'm'),
    );
    assert.match(before, new RegExp(`^headers\n  rh-message-id: ${dead!.id}\n\nbody\n`, 'm'));
    assert.ok(before.endsWith(`\n${dead!.body}`));
    const after = await show(successor);
    assert.match(after, new RegExp(`^in place of +${dead!.id}$`, 'm'));
    assert.match(after, /^row +reported, notified_at 2026-11-21 16:00:00\.\d+$/m);
    assert.match(after, new RegExp(`^issues\n  ${errorKey}  ${component}  notified  new: `, 'm'));
  }));
