/**
 * The data pipeline's metrics. Names, labels, help texts and buckets of the first group are those of the reference, so that dashboards
 * go on working; ours are added with the prefix `ccx_data_pipeline_`. Written by `telemetry.ts` only. Source: data-pipeline.md 6.1.
 */
import { Counter, Gauge, Histogram, type Registry } from '../../platform/telemetry/prometheus.ts';

/** Defaults of the reference's client library; it uses them for sizes in bytes, too. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
/** Sizes that archives have; beside the reference's histograms, whose buckets all lie below 11 bytes. */
const sizeBuckets = [10_240, 51_200, 102_400, 512_000, 1_048_576, 5_242_880, 10_485_760, 52_428_800, 104_857_600];

const archiveKinds = ['ocp', 'hypershift'] as const;

/** Values that are asked for when somebody scrapes, by their names behind `ccx_data_pipeline_`. */
const observed = {
  in_flight: 'Announcements that are being worked on',
  places_waiting: 'Announcements that are being worked on and wait for the bus or a runner to come back',
  read_ahead: 'Announcements that were taken from the bus and are not done, those that are being worked on among them',
  waiting: 'Announcements that wait for another attempt to fetch their archive and hold no place meanwhile',
  hosts_away: 'Hosts of archives that do not answer and are left alone',
  in_flight_bytes: 'Packed bytes of archives that are held or reserved',
  rules_quarantined: 'Rules that are left out for every cluster at the moment',
  pack_rules: 'Rules of rule packs that are in force',
  packs_stale: '1 while the last change of a rule pack is not in force since it has a fault',
};

type PipelineGauges = Readonly<Record<keyof typeof observed, () => number>>;

export type PipelineMetrics = ReturnType<typeof createPipelineMetrics>;

export function createPipelineMetrics(registry: Registry, gauges: PipelineGauges) {
  const registers = [registry];
  const counter = (name: string, help: string) => new Counter({ name, help, registers });
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
  const histogram = (name: string, help: string) => new Histogram({ name, help, buckets, registers });
  const counterByArchive = (name: string, help: string) => {
    const metric = new Counter({ name, help, labelNames: ['archive'], registers });
    for (const archive of archiveKinds) metric.inc({ archive }, 0);
    return metric;
  };
  const histogramByArchive = (name: string, help: string) => {
    const metric = new Histogram({ name, help, labelNames: ['archive'], buckets, registers });
    for (const archive of archiveKinds) metric.zero({ archive });
    return metric;
  };
  for (const [name, read] of Object.entries(gauges)) {
    new Gauge({
      name: `ccx_data_pipeline_${name}`,
      help: observed[name as keyof typeof observed],
      registers,
      collect() {
        this.set(read());
      },
    });
  }
  return {
    received: counter('ccx_consumer_received_total', 'Counter of received Kafka messages'),
    filtered: counter('ccx_consumer_filtered_total', 'Counter of filtered Kafka messages'),
    downloaded: histogram('ccx_downloaded_total', 'Histogram of the size of downloaded items'),
    archiveSize: histogramByArchive(
      'ccx_consumer_archive_size',
      'Histogram of the size of downloaded archive with archive type label',
    ),
    extracted: counterByArchive('ccx_consumer_extracted_total', 'Counter of extracted archives'),
    processed: counterByArchive('ccx_engine_processed_total', 'Counter of files processed by the OCP Engine'),
    published: counterByArchive('ccx_published_total', 'Counter of reports successfully published'),
    failures: counterByArchive('ccx_failures_total', 'Counter of failures during the pipeline'),
    notHandled: counter('ccx_not_handled_total', 'Counter of received elements that are not handled by the pipeline'),
    downloadSeconds: histogram('ccx_download_duration_seconds', 'Histogram of archive download durations'),
    processSeconds: histogramByArchive(
      'ccx_process_duration_seconds',
      'Histogram of durations of processing archives by the OCP engine',
    ),
    publishSeconds: histogramByArchive(
      'ccx_publish_duration_seconds',
      'Histogram of durations of publishing the OCP engine results',
    ),
    processTimeouts: counterByArchive(
      'ccx_engine_processed_timeout_total',
      'Counter of timeouts while processing archives',
    ),
    remoteConfiguration: new Counter({
      name: 'gathering_conditions_remote_configuration_version_total',
      help: 'Counter of times a given configuration is seen',
      labelNames: ['version'],
      registers,
    }),
    brokerInstances: gauge('ccx_broker_instances_size', 'Number of entries in broker.instances dict after processing'),
    brokerExceptions: gauge(
      'ccx_broker_exceptions_size',
      'Number of entries in broker.exceptions dict after processing',
    ),
    brokerTracebacks: gauge(
      'ccx_broker_tracebacks_size',
      'Number of entries in broker.tracebacks dict after processing',
    ),
    ...ownMetrics(registry),
  };
}

function ownMetrics(registry: Registry) {
  const registers = [registry];
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[] = []) =>
    new Counter({ name: `ccx_data_pipeline_${name}`, help, labelNames, registers });
  return {
    dropped: counter('dropped_total', 'Records that were acknowledged without being processed, by reason', ['reason']),
    deadLetters: counter('dead_letters_total', 'Records put into the dead-letter topic, by step and error code', [
      'step',
      'code',
    ]),
    retries: counter('retries_total', 'Attempts that failed and are made again, by step and error code', [
      'step',
      'code',
    ]),
    ruleFailures: counter(
      'rule_failures_total',
      'Rules and facts without a result for an archive, by rule and error code',
      ['rule', 'code'],
    ),
    ruleSkips: counter(
      'rule_skips_total',
      'Rules that did not run over an archive, or not over everything that they need, by rule and reason of the report',
      ['rule', 'reason'],
    ),
    overShare: counter(
      'organizations_over_share_total',
      'Times that an organization took more than its share of the runners while others waited, at most once a minute each',
    ),
    oversizedFiles: counter(
      'oversized_files_total',
      'JSON files of archives that were not parsed since they are over what may be parsed of a file or an archive',
    ),
    skippedEntries: counter(
      'skipped_entries_total',
      'Entries of archives that were passed over: symbolic links, links to no earlier member, devices, what a desktop adds',
    ),
    statusesDropped: counter('statuses_dropped_total', 'Status messages that could not be sent to the payload tracker'),
    archiveBytes: new Histogram({
      name: 'ccx_data_pipeline_archive_bytes',
      help: 'Size of downloaded archives in bytes',
      buckets: sizeBuckets,
      registers,
    }),
  };
}
