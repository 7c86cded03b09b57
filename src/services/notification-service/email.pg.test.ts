/**
 * Mail behind the decision, the outbox and the ledger, with a real mail server: threads, repeats under the same Message-ID, and that one
 * recipient's trouble is nobody else's.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emailEntry, type MailServer, startMailServer } from '../../../test/support/mail-server.ts';
import {
  createCrashingTelemetry,
  dayMs,
  hourMs,
  reportOf,
  type Timeline,
  testCluster,
  withTimeline,
} from '../../../test/support/notification-timeline.ts';
import { openTestReceivers, receiversToml } from '../../../test/support/webhook-receiver.ts';
import { auditOnce } from './auditor.ts';
import type { Receiver } from './config.ts';
import { formatExplanation } from './format-explanation.ts';
import { readExplanation } from './store/explain.ts';
import { listReceivers } from './store/receivers.ts';
import { deliveryFailure } from './targets/transport-failure.ts';

interface Scene {
  readonly line: Timeline;
  readonly server: MailServer;
  configure(changes: Parameters<typeof emailEntry>[1]): Promise<void>;
  /** What the server took since the last call: `to: subject`, in order of the recipients. */
  told(): string[];
  report(...keys: string[]): Promise<void>;
}

async function withMail(
  changes: Parameters<typeof emailEntry>[1],
  check: (scene: Scene) => Promise<void>,
): Promise<void> {
  const server = await startMailServer();
  try {
    await withTimeline({ targets: [] }, async (line) => {
      const configure = async (wanted: typeof changes) =>
        line.setReceivers(await openTestReceivers(receiversToml([emailEntry(server, wanted)]), line.clock));
      await configure(changes);
      await check({
        ...{ line, server, configure },
        told: () =>
          server.taken
            .splice(0)
            .map(({ to, mail }) => `${to.join()}: ${shortOf(mail.subject!)}`)
            .sort(),
        async report(...keys) {
          await line.clock.advance(hourMs);
          await line.store(reportOf(...keys));
          await line.run();
        },
      });
    });
  } finally {
    await server.close();
  }
}

function shortOf(subject: string): string {
  return subject.replace(/ (?:for|on) cluster .*$/, '');
}

const two = { to: ['ada@example.com', 'ben@example.com'] };

test('new and resolved come in one thread, each once, one mail for a cluster and run', () =>
  withMail({ send_resolved: true }, async ({ line, server, report }) => {
    await report('CRITICAL', 'IMPORTANT');
    await report();
    await report();
    await report();
    const mails = server.taken.map(({ mail }) => mail);
    const subjects = mails.map(({ subject }) => shortOf(subject!)).sort();
    assert.equal(subjects.length, 3);
    assert.equal(subjects[0], '[critical] 2 recommendations');
    assert.match(subjects[1]!, /^\[resolved\] /);
    assert.match(subjects[2]!, /^\[resolved\] /);
    assert.deepEqual(
      new Set(mails.map(({ references }) => references)),
      new Set([`<cluster-${testCluster}@example.org>`]),
    );
    assert.equal(new Set(mails.map(({ messageId }) => messageId)).size, 3);
    assert.deepEqual(await line.reported(), []);
  }));

test('killed between send and record, and with the answer lost, the same mail comes again under the same Message-ID', () =>
  withMail({}, async ({ line, server, report }) => {
    const crashing = await line.another({}, createCrashingTelemetry('notification-delivered'));
    await line.store(reportOf('CRITICAL'));
    await assert.rejects(crashing.runOnce(), /crash at/);
    await line.clock.advance(hourMs);
    await line.run();
    server.answerMail = () => ({ status: 0 });
    await report('CRITICAL', 'IMPORTANT');
    server.answerMail = () => undefined;
    await line.clock.advance(hourMs);
    await line.run();
    const raw = server.taken.map((taken) => taken.raw);
    assert.equal(raw.length, 4);
    assert.equal(raw[0], raw[1]);
    assert.equal(raw[2], raw[3]);
    assert.notEqual(server.taken[0]!.mail.messageId, server.taken[2]!.mail.messageId);
    assert.deepEqual(await line.outboxStates(), { delivered: 2 });
  }));

test("one recipient's refusal holds up no other: 4yz is tried again, 5yz is dead with the reason", () =>
  withMail(two, async ({ line, server, told, report }) => {
    const answerBen = (status: number) => {
      server.answerRecipient = (address) => (address.startsWith('ben') ? { status, text: 'not here' } : undefined);
    };
    answerBen(451);
    await report('CRITICAL');
    assert.deepEqual(told(), ['ada@example.com: [critical] about CRITICAL']);
    assert.match(
      formatExplanation(testCluster, await readExplanation(line.database, testCluster)),
      /ops\/ben@example\.com/,
    );
    answerBen(550);
    await report('CRITICAL', 'IMPORTANT');
    assert.deepEqual(told(), ['ada@example.com: [important] about IMPORTANT']);
    const { rows } = await line.database.query<{ name: string; state: string; text: string | null }>(
      `SELECT t.name, o.state, o.error_text AS text FROM ccx.notification_outbox AS o
         JOIN ccx.notification_targets AS t USING (event_type_id) ORDER BY t.name, o.decided_at`,
    );
    const ofBen = rows.filter(({ name }) => name === 'ops/ben@example.com');
    assert.ok(ofBen.length > 0 && ofBen.every(({ state }) => state === 'dead'), JSON.stringify(ofBen));
    assert.match(ofBen[0]!.text!, /the recipient was not taken: the mail server answers 550 not here/);
    const ofAda = rows.filter(({ name }) => name === 'ops/ada@example.com');
    assert.deepEqual(
      ofAda.map(({ state }) => state),
      ['delivered', 'delivered'],
    );
    const now = line.clock.now().toISOString();
    const listed = await listReceivers(line.database, now);
    assert.deepEqual(
      listed.map(({ name, waiting }) => `${name} ${waiting}`),
      ['ops/ada@example.com 0', 'ops/ben@example.com 0'],
    );
    assert.ok(listed[1]!.dead > 0);
    const { findings } = await auditOnce(line.database, {
      ...{ overdueMs: hourMs, retryWindowMs: dayMs, nowMicros: line.clock.nowMicros(), clock: line.clock },
      ...{ msMax: 60_000, findingsMax: 10, readsBodies: false },
    });
    assert.deepEqual(findings, []);
  }));

test('down for a day nothing is lost, and what is not true any more is not told', () =>
  withMail(two, async ({ line, server, told, report }) => {
    server.answerSender = () => ({ status: 451 });
    await report('CRITICAL', 'IMPORTANT');
    for (let hours = 0; hours < 24; hours += 4) {
      await line.clock.advance(4 * hourMs);
      await line.run();
    }
    await report('CRITICAL');
    assert.deepEqual(told(), []);
    server.answerSender = () => undefined;
    await line.clock.advance(hourMs);
    await line.run();
    assert.deepEqual(told(), [
      'ada@example.com: [critical] about CRITICAL',
      'ben@example.com: [critical] about CRITICAL',
    ]);
  }));

test('who is added is told what is there, who is removed nothing more, and who stays nothing twice', () =>
  withMail({}, async ({ line, server, told, report, configure }) => {
    await report('CRITICAL');
    assert.deepEqual(told(), ['ada@example.com: [critical] about CRITICAL']);
    await configure(two);
    await line.run();
    assert.deepEqual(told(), ['ben@example.com: [critical] about CRITICAL']);
    server.answerRecipient = () => ({ status: 451 });
    await report('CRITICAL', 'IMPORTANT');
    server.answerRecipient = () => undefined;
    await configure({ to: ['ben@example.com'] });
    await line.clock.advance(hourMs);
    await line.run();
    assert.deepEqual(told(), ['ben@example.com: [important] about IMPORTANT']);
    const { withdrawn } = await line.outboxStates();
    assert.equal(withdrawn, 1);
  }));

test('a mail whose turn did not come within the lease was not tried: it goes out next, and nobody rests for it', () =>
  withMail({}, async ({ line, server }) => {
    const [receiver] = await openTestReceivers(receiversToml([emailEntry(server)]), line.clock);
    let attempts = 0;
    const deliver: Receiver['target']['deliver'] = async (attempt) => {
      attempts += 1;
      if (attempts > 1) return await receiver!.target.deliver(attempt);
      return { kind: 'retry', error: deliveryFailure('it waited for its turn', 'DELIVERY_ABORTED'), afterMs: hourMs };
    };
    line.setReceivers([{ ...receiver!, target: { ...receiver!.target, deliver } }]);
    await line.store(reportOf('CRITICAL'));
    await line.store(reportOf('CRITICAL'), { cluster: testCluster.replace('5', '6') });
    await line.run();
    assert.equal(attempts, 3);
    assert.equal(server.taken.length, 2);
    assert.deepEqual(await line.outboxStates(), { delivered: 2 });
  }));
