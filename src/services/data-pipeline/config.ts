/**
 * The data pipeline's options, and their values as the settings that `service.ts` takes. Three names are the reference's own
 * (`CDP_*`, data-pipeline.md 1.4); its YAML file becomes values of these in `hosted-config/`.
 */

import { STATUS_SERVICE_DATA_PIPELINE } from '../../contracts/payload-status.ts';
import {
  GROUP_DATA_PIPELINE,
  SERVICE_OPENSHIFT,
  TOPIC_OCP_RESULTS,
  TOPIC_PAYLOAD_STATUS,
  TOPIC_PIPELINE_DEAD_LETTERS,
  TOPIC_UPLOAD_ANNOUNCE,
} from '../../contracts/topics.ts';
import { configInvalid } from '../../encoding/ccx-error.ts';
import {
  defaultArchiveLimits,
  entriesMax,
  entryBytesMax,
  packedBytesMax,
  unpackedBytesMax,
} from '../../platform/archive/archive.ts';
import { busOptions } from '../../platform/bus/bus-options.ts';
import { type ConfigOf, defineOptions, settingsOf } from '../../platform/config/options.ts';
import { tlsOptions } from '../../platform/http/own-certificate.ts';
import {
  addressings,
  checksumModes,
  endpointUrl,
  type S3SettingNames,
  type S3Settings,
} from '../../platform/objects/s3/s3-settings.ts';
import { AFFECTED_VERSIONS } from '../../rules/catalog/affected-versions.ts';
import { defaultRuleSettings, type RuleSettings, type VersionRange } from '../../rules/engine/rule-settings.ts';
import { compareVersions, parseVersion } from '../../rules/engine/semantic-version.ts';

/** Packed bytes held at once; must hold the largest archive, else that archive would wait for ever. */
const inFlightBytesDefault = 256 * 1024 ** 2;
/** Headers of the answer; a link to a host that does not answer is told soon. Source: data-pipeline.md 3.1. */
const downloadAnswerMsDefault = 10 * 1_000;
/** Silence within a body. Source: data-pipeline.md 3.1. */
const downloadStallMsDefault = 60 * 1_000;
/** One download from request to last byte: 100 MiB at 350 kB/s. */
const downloadMsDefault = 5 * 60_000;
/**
 * How long a download is tried again before the announcement is dead-lettered, from its first attempt. Long enough for a restart of the object
 * store; announcements for a host that is left alone have no first attempt, so that a store that is away does not empty the topic.
 */
const downloadRetryMsDefault = 15 * 60_000;
/** One archive: opening it and all rules. A genuine one takes 10 to 50 ms. */
export const archiveMsDefault = 60 * 1_000;
/** One rule, or opening the archive. Keeps the blame with the rule that is slow. */
export const ruleMsDefault = 10 * 1_000;
/** 100 MiB packed cost a child three times that while they arrive; plus 64 MiB unpacked, what the rules parse, and Node itself. */
export const runnerBytesDefault = 1024 * 1024 ** 2;
/** How long a killed rule is left out. Source of the decision: README.md, "A rule that takes a runner down". */
const quarantineMsDefault = 60 * 60_000;

/** Places, archives worked on at once: enough to hide download latency behind the rules, few enough to finish during a stop. */
export const inFlightArchivesDefault = 16;
/** Two children on two cores; each holds at most one archive. */
export const runnersDefault = 2;

export const dataPipelineOptions = defineOptions({
  name: 'data-pipeline',
  envPrefix: 'CCX_DATA_PIPELINE',
  options: {
    ...busOptions,
    'database.url': {
      default: '',
      secret: true,
      env: 'CCX_DATABASE_URL',
      description:
        'postgres://user:password@host:port/name, for bus.kind = postgres, and for ccx roles to show this role',
    },
    'incoming.topic': {
      default: TOPIC_UPLOAD_ANNOUNCE,
      env: 'CDP_INCOMING_TOPIC',
      description: 'Topic of the announcements; platform.upload.buckit goes with incoming.platform_service "none"',
    },
    'incoming.group_id': { default: GROUP_DATA_PIPELINE, env: 'CDP_GROUP_ID', description: 'Consumer group' },
    'incoming.platform_service': {
      off: 'none',
      default: SERVICE_OPENSHIFT,
      description: 'Value that the header service must have; "none" takes every record',
    },
    'incoming.max_record_age': {
      type: 'duration',
      as: 'incoming.recordAgeMsMax',
      default: 0,
      min: 0,
      description: 'Older records are dropped and counted; 0 takes all (the reference drops after 2h)',
    },
    'incoming.start_at': {
      default: 'earliest',
      choices: ['earliest', 'latest'],
      description: 'Where a group without a committed offset starts',
    },
    'results.topic': { as: 'resultsTopic', default: TOPIC_OCP_RESULTS, description: 'Topic of the reports' },
    'dead_letters.topic': {
      as: 'deadLettersTopic',
      default: TOPIC_PIPELINE_DEAD_LETTERS,
      env: 'CDP_DEAD_LETTER_QUEUE_TOPIC',
      description: 'Topic of what cannot be processed',
    },
    'statuses.topic': {
      as: 'statusesTopic',
      off: 'none',
      default: TOPIC_PAYLOAD_STATUS,
      description: 'Topic of status messages for the payload tracker; "none" sends none',
    },
    'statuses.service_name': {
      as: 'serviceName',
      default: STATUS_SERVICE_DATA_PIPELINE,
      description: 'Name of this service in status messages and dead letters',
    },
    'download.max_archive_size': {
      type: 'bytes',
      as: 'archiveLimits.packedBytesMax',
      default: packedBytesMax,
      min: 1,
      description: 'Larger archives are dead-lettered',
    },
    'download.allow_unsafe_links': {
      default: false,
      description: 'Follows links to every host; otherwise only what the two settings below allow',
    },
    'download.presigned_s3_links': {
      default: true,
      description: 'Follows presigned links of Amazon S3 (*.s3.amazonaws.com), as the hosted platform announces them',
    },
    'download.allowed_hosts': {
      default: [],
      split: 'comma-or-whitespace',
      description: 'Further hosts that archives are fetched from: host, host:port or *.domain',
    },
    'download.answer_timeout': {
      type: 'duration',
      as: 'download.answerMsMax',
      default: downloadAnswerMsDefault,
      min: 1,
      description: 'From request to the headers of the answer',
    },
    'download.stall_timeout': {
      type: 'duration',
      as: 'download.stallMsMax',
      default: downloadStallMsDefault,
      min: 1,
      description: 'Longest silence within an archive',
    },
    'download.timeout': {
      type: 'duration',
      as: 'download.downloadMsMax',
      default: downloadMsDefault,
      min: 1,
      description: 'One download as a whole',
    },
    'download.retry_for': {
      type: 'duration',
      as: 'download.retryMsMax',
      default: downloadRetryMsDefault,
      min: 0,
      description: 'How long a failed download is tried again before the announcement is dead-lettered',
    },
    's3.bucket': {
      default: '',
      description:
        'Bucket of our own ingress: its archives are fetched by key, whatever has become of their links; empty: by link',
    },
    's3.endpoint': { default: '', description: 'URL or host:port (by TLS) of the S3 server; empty is Amazon' },
    's3.region': {
      default: '',
      description: 'Region; empty: us-east-1 with an endpoint, else AWS_REGION or the profile',
    },
    's3.access_key': {
      default: '',
      secret: true,
      description: 'Access key; empty with the secret: the credential chain of AWS (environment, files, IRSA)',
    },
    's3.secret_key': { default: '', secret: true, description: 'Secret key' },
    's3.addressing': {
      default: 'auto',
      choices: addressings,
      description: 'path: http://host/bucket/key; host: http://bucket.host/key; auto: path with an endpoint',
    },
    's3.checksums': {
      default: 'auto',
      choices: checksumModes,
      description: 'Checksums of AWS: always, or only where they are required; auto: required with an endpoint',
    },
    's3.ca_file': {
      default: '',
      description: 'PEM file with the certificate authority of the S3 server; empty: those that Node knows',
    },
    'archive.max_unpacked_size': {
      type: 'bytes',
      as: 'archiveLimits.unpackedBytesMax',
      default: unpackedBytesMax,
      min: 1,
      description: 'Bytes of the unpacked tar stream',
    },
    'archive.max_entry_size': {
      type: 'bytes',
      as: 'archiveLimits.entryBytesMax',
      default: entryBytesMax,
      min: 1,
      description: 'Bytes of one file',
    },
    'archive.max_entries': {
      type: 'integer',
      as: 'archiveLimits.entriesMax',
      default: entriesMax,
      min: 1,
      description: 'Entries of one archive',
    },
    'rules.provisional': {
      default: false,
      description: 'Runs the rules whose version ranges are our own reasoning too; ccx rules list shows them',
    },
    'rules.tutorial': {
      default: false,
      description: 'Runs tutorial_rule, which greets the owners of every cluster',
    },
    'rules.packs': {
      default: [],
      split: 'comma',
      description:
        'Folders of rule packs, read again when they change; whoever may write them decides what the fleet is told',
    },
    'rules.install_plans_max': {
      type: 'integer',
      default: defaultRuleSettings.installPlansMax,
      min: 1,
      description: 'Install plans of one version of lib-bucket-provisioner in a namespace; more are a finding',
    },
    'rules.webhook_timeout_max': {
      type: 'duration',
      as: 'rules.webhookMsMax',
      default: defaultRuleSettings.webhookMsMax,
      min: 10_000,
      description:
        "Time that an admission webhook may take, the platform's own apart; a longer timeout is a finding. At least 10s, which the API server takes where none is given",
    },
    'rules.etcd_slow_applies_max': {
      type: 'integer',
      default: defaultRuleSettings.etcdSlowAppliesMax,
      min: 1,
      description: 'Changes an hour, on average, that a member of etcd may apply slowly; more are a finding',
    },
    'rules.network_plugins': {
      default: [],
      split: 'comma-or-whitespace',
      description: 'Network plug-ins (networkType) that are supported beside the default ones and those of partners',
    },
    'rules.affected_versions': {
      default: [],
      split: 'comma-or-whitespace',
      description:
        'Versions that rules about faults of certain releases fire on, in place of ours: RULE=FROM..BEFORE, as bug_1766907=4.2.0..4.2.15; several of one rule count together',
    },
    'rules.runners': {
      type: 'integer',
      default: runnersDefault,
      min: 1,
      max: 64,
      description: 'Processes that rules run in; one archive each at a time',
    },
    'rules.archive_time_limit': {
      type: 'duration',
      as: 'rules.archiveMsMax',
      default: archiveMsDefault,
      min: 1,
      description: 'Opening one archive and running all rules',
    },
    'rules.rule_time_limit': {
      type: 'duration',
      as: 'rules.ruleMsMax',
      default: ruleMsDefault,
      min: 1,
      description: 'One rule, or opening the archive; a rule that takes longer is left out',
    },
    'rules.memory_limit': {
      type: 'bytes',
      as: 'rules.runnerBytesMax',
      default: runnerBytesDefault,
      min: 128 * 1024 * 1024,
      description: 'Resident memory of one runner process',
    },
    'rules.quarantine': {
      type: 'duration',
      default: quarantineMsDefault,
      min: 0,
      description: 'How long a rule that took a runner down is left out',
    },
    'in_flight.archives': {
      type: 'integer',
      as: 'inFlightArchivesMax',
      default: inFlightArchivesDefault,
      min: 1,
      max: 1_000,
      description: 'Archives fetched, run and published at once; one organization holds at most three quarters of them',
    },
    'in_flight.bytes': {
      type: 'bytes',
      as: 'inFlightBytesMax',
      default: inFlightBytesDefault,
      min: 1,
      description: 'Packed bytes held at once; at least download.max_archive_size',
    },
    'operations.host': { default: '0.0.0.0', description: 'Where /metrics, /ready and /live listen' },
    'operations.port': {
      type: 'integer',
      default: 8000,
      min: 0,
      max: 65_535,
      flag: 'operations-port',
      description: 'Port of /metrics, /ready and /live; 0 picks any',
    },
    ...tlsOptions,
    'logging.log_level': {
      default: 'info',
      choices: ['debug', 'info', 'warn', 'error', 'fatal', 'silent'],
      description: 'Least severe lines that are logged',
    },
  },
});

export type DataPipelineSettings = ReturnType<typeof dataPipelineSettings>;

/** Throws `CONFIG_INVALID` where two settings contradict each other. */
export function dataPipelineSettings(config: ConfigOf<typeof dataPipelineOptions>) {
  if (config['in_flight.bytes'] < config['download.max_archive_size']) {
    throw configInvalid(
      'in_flight.bytes is smaller than download.max_archive_size: such an archive could never be fetched',
      'raise in_flight.bytes or lower download.max_archive_size',
    );
  }
  const settings = settingsOf(dataPipelineOptions, config);
  // Told at the start, whoever starts it.
  ruleSettings(settings);
  return { ...settings, archiveLimits: { ...defaultArchiveLimits, ...settings.archiveLimits } };
}

/** What rules fire on. Throws `CONFIG_INVALID` for versions that are none. */
export function ruleSettings({ rules }: Pick<DataPipelineSettings, 'rules'>): RuleSettings {
  const { installPlansMax, webhookMsMax, etcdSlowAppliesMax, networkPlugins } = rules;
  const affectedVersions: Record<string, VersionRange[]> = {};
  for (const text of rules.affectedVersions) {
    const { rule, range } = readAffectedVersions(text);
    affectedVersions[rule] = [...(affectedVersions[rule] ?? []), range];
  }
  return { installPlansMax, webhookMsMax, etcdSlowAppliesMax, networkPlugins, affectedVersions };
}

function readAffectedVersions(text: string): { readonly rule: string; readonly range: VersionRange } {
  const [, rule = '', fromText = '', beforeText = ''] = /^([^=]+)=(.+)\.\.(.+)$/.exec(text) ?? [];
  const [from, before] = [parseVersion(fromText), parseVersion(beforeText)];
  const known = [...AFFECTED_VERSIONS.keys()];
  if (!known.includes(rule) || from === undefined || before === undefined || compareVersions(from, before) >= 0) {
    throw configInvalid(
      `rules.affected_versions has ${JSON.stringify(text)}, which names no versions of a rule`,
      `write RULE=FROM..BEFORE with full versions, the second one not affected; rules are ${known.join(', ')}`,
    );
  }
  return { rule, range: { from, before } };
}

/** Undefined where archives are fetched by their links only. */
export function pipelineS3Settings({ s3 }: Pick<DataPipelineSettings, 's3'>): S3Settings | undefined {
  if (s3.bucket === '') return undefined;
  return { ...s3, endpoint: endpointUrl(s3.endpoint, true), encryption: '', kmsKey: '' };
}

export const pipelineS3SettingNames: S3SettingNames = {
  bucket: 's3.bucket',
  endpoint: 's3.endpoint',
  region: 's3.region',
  accessKey: 's3.access_key',
  secretKey: 's3.secret_key',
  caFile: 's3.ca_file',
};
