/**
 * The options of ingress: every environment name of the reference with its default, and ours. Source: ingress.md A.11.
 *
 * The reference splits its lists in three ways; a value that it accepts means the same here. What has no effect here is accepted with a
 * warning, so that a deployment of the reference starts as it is; what would silently be missing is refused.
 */
import { hostname } from 'node:os';
import { TOPIC_PAYLOAD_STATUS, TOPIC_UPLOAD_ANNOUNCE } from '../../contracts/topics.ts';
import { configInvalid } from '../../encoding/ccx-error.ts';
import type { OwnToken } from '../../platform/auth/authenticator.ts';
import { gatewayOptions } from '../../platform/auth/gateway-options.ts';
import type { BusSettings } from '../../platform/bus/bus-options.ts';
import { type KafkaSettingNames, parseKafkaSecurity } from '../../platform/bus/kafka/kafka-security.ts';
import type { LoadedConfig } from '../../platform/config/load-config.ts';
import { type ConfigOf, defineOptions, settingsOf } from '../../platform/config/options.ts';
import { tlsOptions } from '../../platform/http/own-certificate.ts';
import {
  addressings,
  checksumModes,
  encryptions,
  endpointUrl,
  type S3SettingNames,
  type S3Settings,
  s3LinkMsMax,
} from '../../platform/objects/s3/s3-settings.ts';

const outboxBytesMax = 64 * 1024 ** 2;

/** Uploads that are worked on at once; each has two buffers of 64 KiB and writes to the disk. */
const concurrentUploadsMax = 64;
/** Connections of the web listener at once: a thousand slow clients, and as many good ones beside. Each costs some 20 KiB. */
const webConnectionsMax = 2_000;
/** Announcements that may wait for the bus: a day of a fleet of a thousand clusters at two-hour intervals. */
const outboxEntriesMax = 12_000;
export const linkLifetimeMs = 24 * 3_600_000;

export const ingressOptions = defineOptions({
  name: 'ingress',
  envPrefix: 'CCX_INGRESS',
  options: {
    'logging.level': { default: 'INFO', env: 'INGRESS_LOGLEVEL', description: 'DEBUG, ERROR; anything else is INFO' },
    'process.hostname': {
      default: '',
      env: 'INGRESS_HOSTNAME',
      description:
        'name of this process: a restarted one recognises its own outbox by it; empty: the host name of the system',
    },
    'web.host': { as: 'host', default: '0.0.0.0', flag: 'host', description: 'address that both listeners listen on' },
    'web.port': {
      type: 'integer',
      as: 'webPort',
      default: 3000,
      min: 0,
      max: 65_535,
      env: 'INGRESS_WEBPORT',
      flag: 'port',
      description: 'port of uploads; 0 takes any free one',
    },
    'web.base_url': {
      default: 'http://localhost:3000',
      env: 'INGRESS_SERVICEBASEURL',
      description: 'how consumers reach the web listener, for download links',
    },
    ...tlsOptions,
    'web.connections_max': {
      type: 'integer',
      as: 'connectionsMax',
      default: webConnectionsMax,
      // Of fewer, no share would be left for those that have not said yet what they want.
      min: 8,
      description:
        'connections at once; the one that is silent for the longest time gives way. Three quarters may upload, an eighth may read at once. At most half of the files that the process may open',
    },
    'metrics.port': {
      type: 'integer',
      as: 'metricsPort',
      default: 8080,
      min: 0,
      max: 65_535,
      env: 'INGRESS_METRICSPORT',
      flag: 'metrics-port',
      description: 'port of metrics and probes; 0 takes any free one',
    },
    'auth.enabled': {
      as: 'authEnabled',
      default: true,
      env: 'INGRESS_AUTH',
      description: 'whether uploads need an identity; without, there is no /track either',
    },
    ...gatewayOptions,
    'upload.valid_types': {
      as: 'acceptedServices',
      default: ['unit', 'announce'],
      env: 'INGRESS_VALID_UPLOAD_TYPES',
      split: 'comma',
      description: 'services that may be uploaded for; operators need openshift',
    },
    'upload.bytes_max': {
      type: 'integer',
      as: 'defaultBytesMax',
      default: 104_857_600,
      min: 0,
      env: 'INGRESS_DEFAULTMAXSIZE',
      description: 'largest file, in bytes',
    },
    'upload.bytes_max_by_service': {
      default: '{}',
      env: 'INGRESS_MAXSIZEMAP',
      description:
        'JSON object: service to bytes as text, e.g. {"qpc": "157286400"}; replaces the default for that service',
    },
    'upload.denied_org_ids': {
      as: 'deniedOrgIds',
      default: [],
      env: 'INGRESS_DENY_LISTED_ORGIDS',
      split: 'comma-or-whitespace',
      description: 'organizations that may not upload',
    },
    'upload.concurrent_max': {
      type: 'integer',
      as: 'concurrentUploadsMax',
      default: concurrentUploadsMax,
      min: 1,
      description: 'uploads that are worked on at once; one that waits 20 s for its turn is answered 503',
    },
    'upload.memory_bytes': {
      type: 'integer',
      default: 8_388_608,
      env: 'INGRESS_MAXUPLOADMEM',
      description: 'no effect: uploads are streamed, not gathered',
    },
    'tracker.url': {
      as: 'trackerUrl',
      default: 'http://payload-tracker/v1/payloads/',
      env: 'INGRESS_PAYLOADTRACKERURL',
      description: 'payload tracker; the request id is appended',
    },
    'tracker.timeout_seconds': {
      type: 'integer',
      default: 10,
      min: 1,
      env: 'INGRESS_HTTPCLIENTTIMEOUT',
      description: 'how long the payload tracker may take',
    },
    'tracker.trusted_certificates': {
      as: 'trustedCertificates',
      default: [],
      split: 'comma-or-whitespace',
      description: 'certificate names (the end of x509.subject_dn) that may see every request',
    },
    'outbox.entries_max': {
      type: 'integer',
      as: 'outboxEntriesMax',
      default: outboxEntriesMax,
      min: 0,
      description: 'announcements that may wait while the bus is away; past it uploads are answered 503',
    },
    'outbox.bytes_max': {
      type: 'bytes',
      as: 'outboxBytesMax',
      default: outboxBytesMax,
      min: 0,
      description: 'their bytes in all',
    },
    'links.signed': {
      as: 'linksSigned',
      default: true,
      description: 'whether /download needs a signature; off, whoever knows a request id gets the archive',
    },
    'links.key': {
      as: 'linksKey',
      default: '',
      secret: true,
      description: 'key that signs download links; empty: one is made and kept in the object store',
    },
    'links.lifetime': {
      type: 'duration',
      as: 'linksLifetimeMs',
      default: linkLifetimeMs,
      min: 1_000,
      description: 'how long an announced link is valid',
    },
    'storage.implementation': {
      default: 's3',
      choices: ['s3', 'filebased'],
      env: 'INGRESS_STAGERIMPLEMENTATION',
      description: 's3: archives go to the bucket below; filebased: to a directory',
    },
    'storage.path': {
      default: '',
      env: 'INGRESS_STORAGEFILESYSTEMPATH',
      flag: 'storage-path',
      description: 'directory of archives, for filebased',
    },
    'storage.retention_age': {
      type: 'duration',
      default: 72 * 3_600_000,
      min: 60_000,
      description: 'how long a filebased archive is kept',
    },
    'storage.retention_bytes': {
      type: 'bytes',
      default: 10 * 1024 ** 3,
      min: 0,
      description: 'how much of filebased archives is kept in all; the oldest go first',
    },
    'storage.free_bytes_min': {
      type: 'bytes',
      default: 512 * 1024 ** 2,
      min: 0,
      description: 'free space of the disk below which nothing more is stored, for filebased',
    },
    'storage.bucket': {
      default: 'available',
      env: 'INGRESS_STAGEBUCKET',
      description: 'bucket of archives, for s3; it must be there already, with a lifecycle that removes old archives',
    },
    'storage.endpoint': {
      default: '',
      env: 'INGRESS_MINIOENDPOINT',
      description:
        'host:port or URL of an S3 server, as consumers of links reach it, too; empty is Amazon, always by TLS',
    },
    'storage.access_key': {
      default: '',
      secret: true,
      env: 'INGRESS_MINIOACCESSKEY',
      description: 'access key, for s3; empty with the secret: the credential chain of AWS (environment, files, IRSA)',
    },
    'storage.secret_key': {
      default: '',
      secret: true,
      env: 'INGRESS_MINIOSECRETKEY',
      description: 'secret key, for s3',
    },
    'storage.region': {
      default: '',
      env: 'INGRESS_STORAGEREGION',
      description: 'region, for s3; empty: us-east-1 with an endpoint, else AWS_REGION or the profile',
    },
    'storage.use_ssl': {
      default: false,
      env: 'INGRESS_USESSL',
      description: 'whether the S3 server is reached by TLS, where its endpoint is no URL',
    },
    'storage.s3_addressing': {
      default: 'auto',
      choices: addressings,
      description: 'path: http://host/bucket/key; host: http://bucket.host/key; auto: path with an endpoint',
    },
    'storage.s3_checksums': {
      default: 'auto',
      choices: checksumModes,
      description:
        'checksum headers of AWS: always, or only where they are required; auto: required with an endpoint, since not every server knows them',
    },
    'storage.s3_encryption': {
      default: '',
      choices: encryptions,
      description: 'encryption that each object is stored with; empty: as the bucket has it',
    },
    'storage.s3_kms_key': { default: '', description: 'key for aws:kms; empty: that of the bucket' },
    'storage.s3_ca_file': {
      default: '',
      description: 'PEM file with the certificate authority of the S3 server; empty: those that Node knows',
    },
    'bus.kind': {
      default: 'kafka',
      choices: ['kafka', 'postgres'],
      flag: 'bus',
      description: 'kafka: the brokers below; postgres: topics are tables of the database, nothing else to install',
    },
    'database.url': {
      default: '',
      secret: true,
      env: 'CCX_DATABASE_URL',
      description:
        'postgres://user:password@host:port/name, for bus.kind = postgres, with a tokens file to keep whose the clusters are, and for ccx roles to show this role',
    },
    'kafka.brokers': {
      default: ['kafka:29092'],
      env: 'INGRESS_KAFKABROKERS',
      split: 'comma-or-whitespace',
      description: 'brokers, host:port',
    },
    'kafka.announce_topic': {
      as: 'announceTopic',
      default: TOPIC_UPLOAD_ANNOUNCE,
      env: 'INGRESS_KAFKAANNOUNCETOPIC',
      description: 'topic of announcements',
    },
    'kafka.tracker_topic': {
      as: 'statusTopic',
      default: TOPIC_PAYLOAD_STATUS,
      env: 'INGRESS_KAFKATRACKERTOPIC',
      description: 'topic of status messages',
    },
    'kafka.security_protocol': {
      default: 'PLAINTEXT',
      env: 'INGRESS_KAFKASECURITYPROTOCOL',
      description: 'PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL',
    },
    'kafka.username': { default: '', env: 'INGRESS_KAFKAUSERNAME', description: 'user name for SASL' },
    'kafka.password': { default: '', secret: true, env: 'INGRESS_KAFKAPASSWORD', description: 'password for SASL' },
    'kafka.sasl_mechanism': {
      default: '',
      env: 'INGRESS_SASLMECHANISM',
      description: 'PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512',
    },
    'kafka.ca': {
      default: '',
      env: 'INGRESS_KAFKACA',
      description: 'file with the certificate authority of the brokers; set, TLS is used',
    },
    'kafka.group_id': {
      default: 'ingress',
      env: 'INGRESS_KAFKAGROUPID',
      description: 'no effect: ingress consumes nothing',
    },
    'kafka.delivery_reports': {
      default: true,
      env: 'INGRESS_KAFKADELIVERYREPORTS',
      description: 'no effect: every delivery is waited for',
    },
    'build.commit': {
      as: 'commit',
      default: 'notrunninginopenshift',
      env: 'OPENSHIFT_BUILD_COMMIT',
      description: 'commit that /version and the metric tell',
    },
    'tls.ca_path': { default: '', env: 'INGRESS_TLSCAPATH', description: 'no effect, as in the reference' },
    'debug.profile': {
      default: false,
      env: 'INGRESS_PROFILE',
      description: 'no effect: use `node --inspect` or `node --cpu-prof`',
    },
    'debug.enabled': {
      default: false,
      env: 'INGRESS_DEBUG',
      description: 'no effect: whole requests are never logged',
    },
    'debug.user_agent': {
      default: 'unspecified',
      env: 'INGRESS_DEBUGUSERAGENT',
      description: 'no effect: whole requests are never logged',
    },
    'cloudwatch.log_group': { default: '', env: 'INGRESS_LOGGROUP', description: 'only together with the access key' },
    'cloudwatch.region': { default: '', env: 'INGRESS_AWSREGION', description: 'only together with the access key' },
    'cloudwatch.access_key_id': {
      default: '',
      secret: true,
      env: 'INGRESS_AWSACCESSKEYID',
      description: 'refused: send standard output to CloudWatch with an agent',
    },
    'cloudwatch.secret_access_key': {
      default: '',
      secret: true,
      env: 'INGRESS_AWSSECRETACCESSKEY',
      description: 'only together with the access key',
    },
    'clowder.config': {
      default: '',
      env: 'ACG_CONFIG',
      description: 'JSON document of Clowder; what it tells become defaults of the settings above',
    },
  },
});

export type IngressConfig = ConfigOf<typeof ingressOptions>;

/** How the bus is reached. A certificate authority means TLS, where the reference silently stays without. Throws `BUS_SECURITY`. */
export function ingressBusSettings(config: IngressConfig): BusSettings {
  if (config['bus.kind'] === 'postgres') return { kind: 'postgres' };
  const user = config['kafka.username'];
  const caFile = config['kafka.ca'];
  const protocol = config['kafka.security_protocol'];
  const isPlain = protocol.toUpperCase() === 'PLAINTEXT';
  const security = parseKafkaSecurity(
    {
      protocol: isPlain && caFile !== '' ? (user === '' ? 'SSL' : 'SASL_SSL') : protocol,
      caFile,
      mechanism: config['kafka.sasl_mechanism'],
      user,
      password: config['kafka.password'],
    },
    kafkaSettingNames,
  );
  return {
    kind: 'kafka',
    brokers: config['kafka.brokers'],
    clientId: 'ccx-ingress',
    security,
    settingNames: kafkaSettingNames,
  };
}

const kafkaSettingNames: KafkaSettingNames = {
  brokers: 'INGRESS_KAFKABROKERS',
  protocol: 'INGRESS_KAFKASECURITYPROTOCOL',
  caFile: 'INGRESS_KAFKACA',
  certificateFile: 'a client certificate, which ingress has no setting for',
  mechanism: 'INGRESS_SASLMECHANISM',
  user: 'INGRESS_KAFKAUSERNAME',
  password: 'INGRESS_KAFKAPASSWORD',
};

/** Where archives go with `storage.implementation` = s3. Throws `CONFIG_INVALID`. */
export function ingressS3Settings(config: IngressConfig): S3Settings {
  if (config['links.lifetime'] > s3LinkMsMax) {
    throw configInvalid('links.lifetime is longer than S3 signs links for', 'set links.lifetime to 168h at most');
  }
  return {
    bucket: config['storage.bucket'],
    endpoint: endpointUrl(config['storage.endpoint'], config['storage.use_ssl']),
    region: config['storage.region'],
    accessKey: config['storage.access_key'],
    secretKey: config['storage.secret_key'],
    addressing: config['storage.s3_addressing'] as S3Settings['addressing'],
    checksums: config['storage.s3_checksums'] as S3Settings['checksums'],
    encryption: config['storage.s3_encryption'] as S3Settings['encryption'],
    kmsKey: config['storage.s3_kms_key'],
    caFile: config['storage.s3_ca_file'],
  };
}

export const ingressS3SettingNames: S3SettingNames = {
  bucket: 'storage.bucket (INGRESS_STAGEBUCKET)',
  endpoint: 'storage.endpoint (INGRESS_MINIOENDPOINT)',
  region: 'storage.region (INGRESS_STORAGEREGION)',
  accessKey: 'storage.access_key (INGRESS_MINIOACCESSKEY)',
  secretKey: 'storage.secret_key (INGRESS_MINIOSECRETKEY)',
  caFile: 'storage.s3_ca_file',
};

/** What the running service needs to know. Adapters (bus, object store) have settings of their own. */
export type IngressSettings = ReturnType<typeof ingressSettings> & {
  /** What to change when the port is taken, for the error's hint; by default this table's own setting. */
  readonly webPortSetting?: string;
  /** Of the process that uploads here itself. */
  readonly ownToken?: OwnToken;
};

/** Throws `CONFIG_*` for settings that contradict each other or that would silently be missing. */
export function ingressSettings(
  loaded: Pick<LoadedConfig<typeof ingressOptions>, 'config' | 'origin'>,
  version: string,
) {
  const { config, origin } = loaded;
  refuseMissing(config);
  return {
    ...settingsOf(ingressOptions, config),
    /** As consumers reach the web listener. Undefined: where it really listens. */
    baseUrl: origin['web.base_url'] === 'default' ? undefined : config['web.base_url'].replace(/\/+$/, ''),
    instance: config['process.hostname'] || hostname() || 'unknown',
    bytesMaxByService: parseSizeMap(config['upload.bytes_max_by_service']),
    trackerTimeoutMs: config['tracker.timeout_seconds'] * 1_000,
    version,
    /** Settings that were given but have no effect, for a warning at start. */
    ignored: ignoredSettings(config),
  };
}

function refuseMissing(config: IngressConfig): void {
  const asksTokens = (['gateway.tokens_file', 'gateway.accounts_url'] as const).find((key) => config[key] !== '');
  if (!config['auth.enabled'] && asksTokens !== undefined) {
    throw configInvalid(
      'tokens are of no use where auth.enabled (INGRESS_AUTH) is false',
      `set only one of auth.enabled and ${asksTokens}`,
    );
  }
  if (config['cloudwatch.access_key_id'] !== '') {
    throw configInvalid(
      'ingress does not send its log to CloudWatch',
      'unset cloudwatch.access_key_id (INGRESS_AWSACCESSKEYID) and let an agent collect standard output',
    );
  }
}

function ignoredSettings(config: IngressConfig): { setting: string; why: string }[] {
  const ignored: { setting: string; why: string }[] = [];
  if (config['debug.profile']) {
    ignored.push({ setting: 'INGRESS_PROFILE', why: 'there is no profiler to switch on; use node --cpu-prof' });
  }
  if (config['debug.enabled']) {
    ignored.push({ setting: 'INGRESS_DEBUG', why: 'whole requests are never logged: they hold identities' });
  }
  const isPlain = config['kafka.security_protocol'].toUpperCase() === 'PLAINTEXT' && config['kafka.ca'] === '';
  if (config['bus.kind'] === 'kafka' && config['kafka.username'] !== '' && isPlain) {
    ignored.push({
      setting: 'INGRESS_KAFKAUSERNAME',
      why: 'PLAINTEXT uses no user; set INGRESS_KAFKASECURITYPROTOCOL to SASL_SSL or SASL_PLAINTEXT',
    });
  }
  return ignored;
}

/** A text that is no integer counts as 0, so every non-empty file of that service is refused; anything but an object of texts is an error. */
function parseSizeMap(text: string): ReadonlyMap<string, number> {
  const wrong = () =>
    configInvalid(
      'upload.bytes_max_by_service (INGRESS_MAXSIZEMAP) is no JSON object from service to bytes as text',
      'e.g. {"qpc": "157286400"}',
    );
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw wrong();
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) throw wrong();
  return new Map(
    Object.entries(document).map(([service, bytes]): [string, number] => {
      if (typeof bytes !== 'string') throw wrong();
      return [service, /^[+-]?\d{1,15}$/.test(bytes) ? Number(bytes) : 0];
    }),
  );
}
