/**
 * The bus's part of a role's option table, and how its values become settings. Every role spreads `busOptions` into its own table, so
 * the same keys, flags and environment names mean the same everywhere. The drop-in binaries have keys of their own and build
 * `BusSettings` themselves.
 */
import { type ConfigOf, inSection, type WithTypes } from '../config/options.ts';
import { type KafkaSecurity, type KafkaSettingNames, parseKafkaSecurity } from './kafka/kafka-security.ts';

/** Key, value and headers of one record. What librdkafka allows by default: fits a broker whose limit of a batch, framing included, is the default. */
export const recordBytesMaxDefault = 1_000_000;
/** Fetched and not yet handed out, per consumer, unless it says otherwise: a few hundred reports. */
export const bufferedBytesMaxDefault = 16 * 1024 * 1024;
/** One answer of `read()`: enough for a page of dead letters, bounded whatever `recordsMax` says. */
export const readBytesMax = 64 * 1024 * 1024;
/** Records of one `read()`, whatever the caller asks for. */
export const readRecordsMax = 10_000;

/** From `send` to Kafka's acknowledgement, all tries together. Ingress answers its client within 60 s and needs time for its own fall-back. */
export const deliveryMsDefault = 30_000;
/** A member renews three times per lease, so two lost tries do not fence it. */
export const leaseMsDefault = 10_000;

/** Kafka's default age: a consumer that is down over a long weekend loses nothing. */
export const retentionMsDefault = 7 * 24 * 3_600_000;
/** Per topic; a small installation's disk holds this for every topic. */
export const retentionBytesDefault = 1024 * 1024 * 1024;

export const busOptions = inSection('bus', {
  kind: {
    default: 'postgres',
    choices: ['postgres', 'kafka'],
    description: 'postgres: topics are tables of the database, nothing else to install. kafka: brokers of your own',
    flag: 'bus',
  },
  brokers: {
    default: ['localhost:9092'],
    split: 'comma-or-whitespace',
    description: 'Kafka brokers to start from, host:port',
    flag: 'brokers',
  },
  client_id: { default: '', description: 'How this process is called in logs of the brokers; default ccx-<role>' },
  security_protocol: { default: 'PLAINTEXT', description: 'PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL, in any case' },
  ca_file: {
    default: '',
    description: 'PEM file with the certificate authority of the brokers; empty: the system knows it',
  },
  certificate_file: { default: '', description: 'PEM file with a client certificate, where brokers ask for one' },
  key_file: { default: '', description: 'PEM file with the key of the client certificate' },
  sasl_mechanism: {
    default: 'PLAIN',
    description: 'PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER, with a protocol that starts with SASL_',
  },
  sasl_user: { default: '', description: 'User; the client id for OAUTHBEARER' },
  sasl_password: {
    default: '',
    secret: true,
    description: 'Password; the client secret for OAUTHBEARER',
  },
  oauth_token_url: { default: '', description: 'Where OAUTHBEARER gets its tokens (client credentials grant)' },
  oauth_scope: { default: '', description: 'Scope of the token, where the token service wants one' },
  session_timeout: {
    type: 'duration',
    default: leaseMsDefault,
    min: 1_000,
    description: 'How long a consumer that is not heard of keeps its partitions',
  },
  delivery_timeout: {
    type: 'duration',
    default: deliveryMsDefault,
    min: 1_000,
    description: 'How long Kafka may take to acknowledge a record before sending it is an error',
  },
  record_bytes_max: {
    type: 'bytes',
    default: recordBytesMaxDefault,
    min: 1_024,
    description: 'Largest record; brokers and topics have a limit of their own',
  },
  retention: {
    type: 'duration',
    default: retentionMsDefault,
    min: 60_000,
    description: 'How long postgres topics keep records, unless a topic says otherwise',
  },
  retention_bytes: {
    type: 'bytes',
    default: retentionBytesDefault,
    min: 1024 * 1024,
    description: 'How many bytes a postgres topic keeps, unless it says otherwise',
  },
});

/** The loaded values of `busOptions`, whatever else the role's table holds. */
export type BusConfig = ConfigOf<{ name: string; envPrefix: string; options: WithTypes<typeof busOptions> }>;

export interface PostgresBusSettings {
  readonly kind: 'postgres';
  /** How long a member that is not heard of keeps its partitions; a crashed consumer's work waits that long. */
  readonly leaseMs?: number;
  readonly recordBytesMax?: number;
  /** For topics without limits of their own. */
  readonly retentionMs?: number;
  readonly retentionBytes?: number;
}

export interface KafkaBusSettings {
  readonly kind: 'kafka';
  /** `host:port`; a port may be missing (9092). At least one has to answer, the others may be away or unresolvable. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly security: KafkaSecurity;
  readonly sessionMs?: number;
  readonly deliveryMsMax?: number;
  readonly recordBytesMax?: number;
  /** What the settings are called where they came from; the keys of `busOptions` by default. */
  readonly settingNames?: KafkaSettingNames;
  /**
   * Brokers that make topics by themselves (`auto.create.topics.enable`) may make those that are sent to or read. For the drop-in programs,
   * as the originals; our roles want their topics made beforehand, so that a mistyped one is an error.
   */
  readonly mayMakeTopics?: boolean;
}

export type BusSettings = PostgresBusSettings | KafkaBusSettings;

/** Throws `BUS_SECURITY` where security settings cannot be honoured; `role` names the client. */
export function busSettings(config: BusConfig, role: string): BusSettings {
  const recordBytesMax = config['bus.record_bytes_max'];
  if (config['bus.kind'] !== 'kafka') {
    return {
      kind: 'postgres',
      leaseMs: config['bus.session_timeout'],
      recordBytesMax,
      retentionMs: config['bus.retention'],
      retentionBytes: config['bus.retention_bytes'],
    };
  }
  const user = config['bus.sasl_user'];
  const password = config['bus.sasl_password'];
  const tokenUrl = config['bus.oauth_token_url'];
  const security = parseKafkaSecurity({
    protocol: config['bus.security_protocol'],
    caFile: config['bus.ca_file'],
    certificateFile: config['bus.certificate_file'],
    keyFile: config['bus.key_file'],
    mechanism: config['bus.sasl_mechanism'],
    user,
    password,
    // It checks answers by a schema, and its library is slow to load.
    token:
      tokenUrl === ''
        ? undefined
        : async () => {
            const { oauthToken } = await import('./kafka/oauth-tokens.ts');
            const scope = config['bus.oauth_scope'];
            return await oauthToken({ url: tokenUrl, clientId: user, clientSecret: password, scope });
          },
  });
  return {
    kind: 'kafka',
    brokers: config['bus.brokers'],
    clientId: config['bus.client_id'] || `ccx-${role}`,
    security,
    sessionMs: config['bus.session_timeout'],
    deliveryMsMax: config['bus.delivery_timeout'],
    recordBytesMax,
  };
}
