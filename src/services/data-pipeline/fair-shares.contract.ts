/**
 * What one party can do to the others through the data pipeline, on either bus: nothing. Run by `fair-shares.fault.test.ts` and
 * `fair-shares.kafka.test.ts`. Positions in the order of reports are asserted, since they do not depend on the machine; the times are printed.
 */
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { announcementRecord, fromCluster, testArchive } from '../../../test/support/announcements.ts';
import { type ArchiveServer, startArchiveServer } from '../../../test/support/archive-server.ts';
import { until } from '../../../test/support/until.ts';
import type { Bus, OutgoingRecord } from '../../platform/bus/bus.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { loadConfig } from '../../platform/config/load-config.ts';
import type { RunningService } from '../../platform/lifecycle/lifecycle.ts';
import {
  BUSINESS_EVENT_CHANNEL,
  type BusinessEvent,
  createSilentTelemetry,
  type Telemetry,
} from '../../platform/telemetry/telemetry.ts';
import { jsonFileValuesMax } from '../../rules/engine/archive-view.ts';
import { dataPipelineOptions, dataPipelineSettings, inFlightArchivesDefault, runnersDefault } from './config.ts';
import { hostFailuresMin } from './host-breaker.ts';
import { startDataPipeline } from './service.ts';

/** Ports of the machine that nobody listens on. */
const nowhere = ['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3'];
const clock = createSystemClock();

/** `open` is called once; what it opens is closed by whoever calls this. */
export function fairSharesContract(open: () => Promise<Bus>): void {
  let bus: Bus;
  let server: ArchiveServer;
  let topic: string;
  let service: RunningService;
  let telemetry: Telemetry;
  let events: BusinessEvent[] = [];
  const onEvent = (message: unknown) => events.push(message as BusinessEvent);

  before(async () => {
    bus = await open();
    server = await startArchiveServer();
  });
  after(() => server.close());
  beforeEach(async () => {
    topic = `announce-${clock.uuid()}`;
    const names = [topic, `${topic}-out`, `${topic}-dead`];
    // One partition: whatever was announced before lies in front of the rest.
    await bus.admin.ensureTopics(names.map((name) => ({ name, partitions: 1 })));
    const settings = dataPipelineSettings(loadConfig(dataPipelineOptions, { env: {} }).config);
    telemetry = createSilentTelemetry('data-pipeline');
    service = await startDataPipeline(
      {
        ...settings,
        incoming: { ...settings.incoming, topic, groupId: topic },
        resultsTopic: `${topic}-out`,
        deadLettersTopic: `${topic}-dead`,
        statusesTopic: '',
        download: { ...settings.download, allowedHosts: [server.host, ...nowhere] },
      },
      { bus, clock, telemetry },
    );
    events = [];
    subscribe(BUSINESS_EVENT_CHANNEL, onEvent);
  });
  afterEach(async () => {
    unsubscribe(BUSINESS_EVENT_CHANNEL, onEvent);
    await service.stop();
  });

  const announce = async (...records: readonly OutgoingRecord[]) => {
    const producer = await bus.createProducer();
    await producer.send(records.map((record) => ({ ...record, topic })));
    await producer.close();
  };
  const upload = (requestId: string, archive: Buffer, orgId: number, cluster: number) =>
    announcementRecord({
      request_id: requestId,
      url: server.serve(`/${topic}/${requestId}`, archive),
      size: archive.length,
      ...fromCluster(orgId, cluster),
    });
  const indexOf = (event: string, requestId: string) =>
    events.findIndex((one) => one.event === event && one.fields['requestId'] === requestId);
  const published = () => events.filter(({ event }) => event === 'report-published').length;
  const gauge = async (name: string) => {
    const found = (await telemetry.registry.getMetricsAsJSON()).find((one) => one.name === name);
    return (found!.values as { value: number }[])[0]!.value;
  };

  describe('one party and the others', () => {
    test('an organization that floods delays no other: each archive of another is among the next', async (context) => {
      // As costly as the budget of an archive allows: some ten times a fair share, and always more than can be done.
      const members = Array.from({ length: jsonFileValuesMax / 2 - 2 }, (_, index) => `"k${index}":0`).join(',');
      const costly = testArchive({ 'config/node/1.json': `{${members}}` });
      await announce(...Array.from({ length: 60 }, (_, index) => upload(`flood-${index}`, costly, 666, index)));
      await until(() => published() >= 4);
      const delays: number[] = [];
      for (let number = 0; number < 5; number += 1) {
        const requestId = `good-${number}`;
        const sentMs = clock.monotonicMs();
        await announce(upload(requestId, testArchive(), 1, number));
        await until(() => indexOf('report-published', requestId) >= 0);
        delays.push(Math.round(clock.monotonicMs() - sentMs));
        const meanwhile = events
          .slice(indexOf('announcement-accepted', requestId), indexOf('report-published', requestId))
          .filter(({ event }) => event === 'report-published').length;
        // Those that run when it comes, and as many again while it is fetched and sent.
        assert.ok(meanwhile <= 3 * runnersDefault, `${meanwhile} reports of the flood before ${requestId}`);
      }
      context.diagnostic(
        `archives of another organization took ${delays.join(', ')} ms, ${published()} reports in all`,
      );
      assert.ok(published() < 60, 'the flood was not over');
      // The warning wants some seconds of processor time, which a fast machine has not used yet.
      const over = () => events.find(({ event }) => event === 'organization-over-share');
      for (let number = 5; over() === undefined && published() < 60; number += 1) {
        await announce(upload(`good-${number}`, testArchive(), 1, number));
        await until(() => indexOf('report-published', `good-${number}`) >= 0);
      }
      assert.equal(over()?.fields['orgId'], 666);
    });

    test('hosts that do not answer take no place from anybody, and nothing but them left is told', async () => {
      const dead = Array.from({ length: 2.5 * inFlightArchivesDefault }, (_, index) =>
        announcementRecord({
          request_id: `dead-${index}`,
          url: `http://${nowhere[index % nowhere.length]}/archive-${index}`,
          ...fromCluster(1, 100 + index),
        }),
      );
      await announce(...dead, upload('same', testArchive(), 1, 1), upload('other', testArchive(), 2, 1));
      await until(() => published() === 2);
      assert.deepEqual((await service.readiness()).reasons, []);
      const [lag] = await bus.admin.lag(topic, [topic]);
      assert.ok((lag?.committed ?? 0n) === 0n, 'nothing is acknowledged past what is tried again');
      await until(async () => (await gauge('ccx_data_pipeline_hosts_away')) === nowhere.length);
      await until(async () => !(await service.readiness()).ready);
      const [reason] = (await service.readiness()).reasons;
      assert.match(
        reason ?? '',
        /announcements wait for another attempt, nothing was fetched for \d+ s, .*127\.0\.0\.1:1/,
      );
      assert.ok((await gauge('ccx_data_pipeline_waiting')) >= inFlightArchivesDefault);
      assert.ok((await gauge('ccx_data_pipeline_in_flight')) <= nowhere.length * hostFailuresMin);
      await announce(upload('later', testArchive(), 1, 2));
      await until(async () => (await service.readiness()).ready);
    });
  });
}
