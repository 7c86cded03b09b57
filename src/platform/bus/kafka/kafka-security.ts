/**
 * How to talk to Kafka brokers: where they are, encryption and identity, in the words of Kafka's own settings. Services translate their keys into this;
 * the adapter turns it into sockets. There is no fall-back: a setting that cannot be honoured is an error, never plain text.
 */
import { readFileSync } from 'node:fs';
import { CcxError } from '../../../encoding/ccx-error.ts';

const kafkaProtocols = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'] as const;
type KafkaProtocol = (typeof kafkaProtocols)[number];

const saslMechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const;
type SaslMechanism = (typeof saslMechanisms)[number];

interface KafkaTls {
  /** PEM. Absent: the system's roots. */
  readonly ca?: string;
  /** PEM, for brokers that ask clients for a certificate. */
  readonly certificate?: string;
  readonly key?: string;
}

export type KafkaSasl =
  | { readonly mechanism: Exclude<SaslMechanism, 'OAUTHBEARER'>; readonly user: string; readonly password: string }
  /** OAUTHBEARER; asked for a token at every login, so it may expire and be renewed. */
  | { readonly mechanism: 'OAUTHBEARER'; readonly token: () => Promise<string> };

export interface KafkaSecurity {
  readonly protocol: KafkaProtocol;
  /** Exactly when the protocol has SSL in it. */
  readonly tls?: KafkaTls;
  /** Exactly when the protocol has SASL in it. */
  readonly sasl?: KafkaSasl;
}

/** Raw values as configuration has them. Empty text is unset. */
export interface KafkaSecuritySettings {
  readonly protocol: string;
  readonly caFile?: string;
  readonly certificateFile?: string;
  readonly keyFile?: string;
  readonly mechanism?: string;
  /** Also the client id of OAUTHBEARER's token request. */
  readonly user?: string;
  readonly password?: string;
  /** For OAUTHBEARER. */
  readonly token?: () => Promise<string>;
}

/** What the settings are called where the values came from, so that an error can be acted upon. */
export interface KafkaSettingNames {
  readonly brokers: string;
  readonly protocol: string;
  readonly caFile: string;
  readonly certificateFile: string;
  readonly mechanism: string;
  readonly user: string;
  readonly password: string;
}

export const busSettingNames: KafkaSettingNames = {
  brokers: 'bus.brokers',
  protocol: 'bus.security_protocol',
  caFile: 'bus.ca_file',
  certificateFile: 'bus.certificate_file and bus.key_file',
  mechanism: 'bus.sasl_mechanism',
  user: 'bus.sasl_user',
  password: 'bus.sasl_password',
};

export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}

const brokerPortDefault = 9092;

/** `host:port`, `host` or `[v6]:port`. Throws `BUS_ADDRESS` naming the setting. */
export function parseBrokerAddress(text: string, names: KafkaSettingNames = busSettingNames): BrokerAddress {
  const match = /^(\[[^\]]+\]|[^:\s]+)(?::(\d{1,5}))?$/.exec(text.trim());
  if (match === null) {
    throw new CcxError(`${JSON.stringify(text)} is no address of a Kafka broker`, {
      code: 'BUS_ADDRESS',
      category: 'configuration',
      hint: `write ${names.brokers} as host:port, separated by commas`,
    });
  }
  return { host: match[1]!.replace(/^\[|\]$/g, ''), port: Number(match[2] ?? brokerPortDefault) };
}

export const plaintext: KafkaSecurity = { protocol: 'PLAINTEXT' };

/**
 * Protocol and mechanism count in any case; an empty protocol is PLAINTEXT, an empty mechanism PLAIN. What a protocol does not use is not
 * looked at (the shipped files hold placeholders such as `not-set`). Throws `BUS_SECURITY` naming the setting.
 * Fixes notification-writer.md Q7, Q8 and notification-service.md 9.3: a CA counts with SASL_SSL too, and nothing falls back to plain text.
 */
export function parseKafkaSecurity(
  settings: KafkaSecuritySettings,
  names: KafkaSettingNames = busSettingNames,
): KafkaSecurity {
  const protocol = oneOf(kafkaProtocols, settings.protocol.trim() || 'PLAINTEXT', names.protocol);
  return {
    protocol,
    ...(protocol.endsWith('SSL') ? { tls: readTls(settings, names) } : {}),
    ...(protocol.startsWith('SASL_') ? { sasl: parseSasl(settings, names) } : {}),
  };
}

function readTls(settings: KafkaSecuritySettings, names: KafkaSettingNames): KafkaTls {
  const certificate = readPem(settings.certificateFile, names.certificateFile);
  const key = readPem(settings.keyFile, names.certificateFile);
  if ((certificate === undefined) !== (key === undefined)) {
    throw refused('a client certificate needs its key, and a key its certificate', names.certificateFile);
  }
  const ca = readPem(settings.caFile, names.caFile);
  if (ca !== undefined && !ca.includes('-----BEGIN CERTIFICATE-----')) {
    throw refused(`${settings.caFile} holds no certificate in PEM form`, names.caFile);
  }
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined || key === undefined ? {} : { certificate, key }),
  };
}

function parseSasl(settings: KafkaSecuritySettings, names: KafkaSettingNames): KafkaSasl {
  const mechanism = oneOf(saslMechanisms, settings.mechanism?.trim() || 'PLAIN', names.mechanism);
  if (mechanism === 'OAUTHBEARER') {
    if (settings.token === undefined) throw refused('OAUTHBEARER needs a way to get tokens', names.mechanism);
    return { mechanism, token: settings.token };
  }
  const { user = '', password = '' } = settings;
  if (user === '') throw refused(`${mechanism} needs a user`, names.user);
  if (password === '') throw refused(`${mechanism} needs a password`, names.password);
  return { mechanism, user, password };
}

function oneOf<Value extends string>(allowed: readonly Value[], text: string, setting: string): Value {
  const found = allowed.find((value) => value === text.toUpperCase());
  if (found === undefined) throw refused(`${JSON.stringify(text)} is none of ${allowed.join(', ')}`, setting);
  return found;
}

function readPem(path: string | undefined, setting: string): string | undefined {
  if (path === undefined || path === '') return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    // The reference prints the system's text for this; scripts look for `open <path>: no such file or directory`.
    const reason = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file or directory' : String(cause);
    throw refused(`open ${path}: ${reason}`, setting, cause);
  }
}

function refused(message: string, setting: string, cause?: unknown): CcxError {
  return new CcxError(message, { code: 'BUS_SECURITY', category: 'configuration', hint: `change ${setting}`, cause });
}
