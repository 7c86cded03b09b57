/**
 * The metrics of ingress. Names, labels and buckets of the first group are the reference's, without `_total`, so that dashboards go on
 * working; ours have the prefix `ccx_ingress_`. Written by `telemetry.ts` only. Source: ingress.md A.10.1.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, type Registry } from 'prom-client';
import type { HttpServer } from '../../platform/http/http-server.ts';
import type { ObjectStore } from '../../platform/objects/object-store.ts';
import { registerProcessMetrics } from '../../platform/telemetry/process-metrics.ts';
import type { Outbox } from './outbox.ts';
import type { UploadSlots } from './upload-slots.ts';

/** Defaults of the reference's client library. */
const secondsBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function createIngressMetrics(registry: Registry, build: { readonly version: string; readonly commit: string }) {
  const registers = [registry];
  // One process may run several services on one registry.
  if (registry.getSingleMetric('process_cpu_user_seconds_total') === undefined)
    collectDefaultMetrics({ register: registry });
  registerProcessMetrics(registry);
  const counter = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
    new Counter({ name, help, labelNames, registers });
  const seconds = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
    new Histogram({ name, help, labelNames, buckets: secondsBuckets, registers });
  new Gauge({ name: 'ingress_version', help: 'Build of ingress', labelNames: ['commit', 'version'], registers }).set(
    { commit: build.commit, version: build.version },
    1,
  );
  return {
    requests: counter('ingress_requests', 'Uploads that passed the test and the deny list', ['useragent']),
    payloadSizes: new Histogram({
      name: 'ingress_payload_sizes',
      help: 'Bytes of the uploaded file',
      labelNames: ['useragent'],
      buckets: [10_240, 102_400, 1_024_000, 10_240_000],
      registers,
    }),
    stageSeconds: seconds(
      'ingress_stage_seconds',
      'Seconds from the end of the form until the archive is stored, or could not be',
    ),
    responses: counter('ingress_responses', 'Answers to uploads', ['useragent', 'code']),
    messagesProduced: counter('ingress_message_produced', 'Announcements sent or kept', ['service']),
    kafkaProduced: counter('ingress_kafka_produced', 'Messages that the bus has acknowledged', ['topic']),
    kafkaFailures: counter('ingress_kafka_produce_failures', 'Messages that could not be sent; each attempt counts', [
      'topic',
    ]),
    publishSeconds: seconds('ingress_publish_seconds', 'Seconds until the bus has acknowledged a message', ['topic']),
    sendsInFlight: new Gauge({
      name: 'ingress_kafka_producer_go_routine_count',
      help: 'Sends that the bus has not answered yet',
      registers,
    }),
    statusesDropped: counter('ccx_ingress_statuses_dropped_total', 'Status messages given up while the bus was away'),
    announcementsKept: counter('ccx_ingress_announcements_kept_total', 'Announcements put into the outbox'),
    announcementsRelayed: counter('ccx_ingress_announcements_relayed_total', 'Announcements sent from the outbox'),
    announcementsSetAside: counter(
      'ccx_ingress_announcements_set_aside_total',
      'Announcements that the bus will never take',
    ),
    connectionsRefused: counter(
      'ccx_ingress_connections_refused_total',
      'Connections that there was no room or no descriptor for',
    ),
    accountQuestions: counter(
      'ccx_ingress_account_questions_total',
      'Questions to the accounts service about tokens that nobody here knows: good, bad, failed, or busy where too many were open',
      ['outcome'],
    ),
    refused: counter('ccx_ingress_refused_total', 'Uploads refused, by reason', ['code']),
    /** Values that are asked for when somebody scrapes. */
    gauges(slots: UploadSlots, server: HttpServer, outbox: Outbox, objects: Pick<ObjectStore, 'freeBytes'>): void {
      const gauge = (name: string, help: string, value: () => number) =>
        new Gauge({
          name,
          help,
          registers,
          collect() {
            this.set(value());
          },
        });
      gauge('ccx_ingress_uploads_in_flight', 'Uploads whose form is read, stored or announced', () => slots.admitted);
      gauge(
        'ccx_ingress_uploads_waiting',
        'Uploads that wait for their first bytes or for a slot',
        () => slots.waiting,
      );
      gauge('ccx_ingress_upload_slots_taken', 'Uploads that are worked on at this moment', () => slots.taken);
      gauge('ccx_ingress_connections', 'Open connections of the web listener', () => server.connections());
      gauge('ccx_ingress_outbox_entries', 'Announcements that wait for the bus', () => outbox.entries);
      gauge('ccx_ingress_outbox_bytes', 'Bytes of the announcements that wait for the bus', () => outbox.bytes);
      const { freeBytes } = objects;
      if (freeBytes === undefined) return;
      new Gauge({
        name: 'ccx_ingress_store_free_bytes',
        help: 'Bytes that the disk of the archives has left; absent where a server stores them',
        registers,
        async collect() {
          // A page without it says that the disk cannot be asked; one that fails would say nothing.
          await freeBytes().then(
            (bytes) => this.set(bytes),
            () => this.remove(),
          );
        },
      });
    },
  };
}
