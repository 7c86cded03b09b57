/**
 * A stand-in for an Alertmanager, as far as receivers use it: keeps what is posted as it does (the newest of each set of labels), answers 400
 * to a batch with a bad alert and keeps the others, and lists silences that a test makes. The real one is met in
 * `test/deploy/alertmanager-receiver.prometheus.test.ts`.
 */
import { createServer } from 'node:http';
import type { PostableAlert } from '../../src/contracts/alertmanager.ts';
import { listening } from './test-server.ts';

export interface FakeSilence {
  readonly id: string;
  readonly endsAt: string;
  readonly comment: string;
  /** Of the alerts that it covers. */
  readonly errorKey: string;
}

/** Stopped by `close`. */
export async function startFakeAlertmanager() {
  const alerts = new Map<string, PostableAlert>();
  const batches: (readonly PostableAlert[])[] = [];
  const fake = {
    url: '',
    /** Every post, in order. */
    batches,
    /** Of each post; it is taken or refused as well. */
    status: 200,
    hangs: false,
    isBad: (_alert: PostableAlert): boolean => false,
    silences: [] as readonly FakeSilence[],
    /** Error keys of what is active at that moment, with what an ended one says. */
    shown(now: Date): string[] {
      return [...alerts.values()]
        .map(({ labels, annotations, endsAt }) =>
          Date.parse(endsAt) > now.getTime() ? labels.error_key : `${labels.error_key}: ${annotations.ended_because}`,
        )
        .sort();
    },
    /** As after SIGKILL. */
    forget: () => alerts.clear(),
    /** Alerts of every post since the last call. */
    taken: (): PostableAlert[] => batches.splice(0).flat(),
    close(): void {},
  };
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (fake.hangs) return;
    const answer = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (request.method === 'GET') return void answer(200, request.url === '/api/v2/silences' ? listed() : silenced());
    const batch = JSON.parse(Buffer.concat(chunks).toString('utf8')) as PostableAlert[];
    batches.push(batch);
    if (fake.status !== 200) return void answer(fake.status, 'as the test wants it');
    const good = batch.filter((alert) => !fake.isBad(alert));
    for (const alert of good) alerts.set(JSON.stringify(alert.labels), alert);
    answer(good.length === batch.length ? 200 : 400, 'start time must be before end time');
  });
  const listed = () =>
    fake.silences.map(({ id, endsAt, comment }) => ({
      ...{ id, endsAt, comment, createdBy: 'ada', matchers: [], startsAt: endsAt, updatedAt: endsAt },
      status: { state: 'active' },
    }));
  const silenced = () =>
    [...alerts.values()].flatMap((alert) => {
      const silencedBy = fake.silences
        .filter(({ errorKey }) => errorKey === alert.labels.error_key)
        .map(({ id }) => id);
      return silencedBy.length === 0
        ? []
        : [{ ...alert, status: { state: 'suppressed', silencedBy, inhibitedBy: [] } }];
    });
  const { port, close } = await listening(server);
  fake.url = `http://127.0.0.1:${port}`;
  fake.close = close;
  return fake;
}

export type FakeAlertmanager = Awaited<ReturnType<typeof startFakeAlertmanager>>;
