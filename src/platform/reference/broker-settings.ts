/**
 * The reference's sections that name brokers and databases by their parts → the settings of our bus and our database. Used by the roles
 * that take the reference's keys, and by the drop-in programs.
 */
import type { KafkaBusSettings } from '../bus/bus-options.ts';
import { type KafkaSecurity, type KafkaSettingNames, parseKafkaSecurity } from '../bus/kafka/kafka-security.ts';
import { inSection } from '../config/options.ts';
import {
  databaseOfUrl,
  type LocatingConfig,
  type RotatedSecrets,
  rotatedFiles,
} from '../database/configured-database.ts';
import { composeDatabaseUrl } from '../database/connection-url.ts';
import type { DatabaseLocation } from '../database/database.ts';

/** Brokers beside their addresses. */
export function brokerOptions<Section extends string>(section: Section, defaults: { readonly mechanism: string }) {
  return inSection(section, {
    security_protocol: {
      default: 'PLAINTEXT',
      description: `PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL, for ${section}.addresses`,
    },
    cert_path: { default: '', description: 'PEM file with the certificate authority of the brokers' },
    sasl_mechanism: { default: defaults.mechanism, description: 'PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512' },
    sasl_username: { default: '', description: 'User at the brokers' },
    sasl_password: { default: '', secret: true, description: 'Password at the brokers' },
  });
}

type Section<Name extends string, Texts extends string> = { readonly [Key in `${Name}.${Texts}`]: string };

type BrokerTexts =
  | 'addresses'
  | 'security_protocol'
  | 'cert_path'
  | 'sasl_mechanism'
  | 'sasl_username'
  | 'sasl_password';

/** Throws `BUS_SECURITY`. */
export function brokerSettings<Name extends 'broker' | 'kafka_broker'>(
  config: Section<Name, BrokerTexts>,
  section: Name,
  {
    ca,
    ...settings
  }: Omit<KafkaBusSettings, 'kind' | 'brokers' | 'security' | 'settingNames'> & { readonly ca?: string },
): KafkaBusSettings {
  const value = (name: BrokerTexts) => config[`${section}.${name}`];
  const settingNames: KafkaSettingNames = {
    brokers: `${section}.addresses`,
    protocol: `${section}.security_protocol`,
    caFile: `${section}.cert_path`,
    certificateFile: `${section}.cert_path`,
    mechanism: `${section}.sasl_mechanism`,
    user: `${section}.sasl_username`,
    password: `${section}.sasl_password`,
  };
  const security = parseKafkaSecurity(
    {
      protocol: value('security_protocol'),
      caFile: value('cert_path'),
      mechanism: value('sasl_mechanism'),
      user: value('sasl_username'),
      password: value('sasl_password'),
    },
    settingNames,
  );
  return {
    kind: 'kafka',
    brokers: value('addresses')
      .split(',')
      .map((address) => address.trim())
      .filter((address) => address !== ''),
    security: withAuthority(security, ca),
    settingNames,
    ...settings,
  };
}

/** `ca` is the brokers' certificate authority itself, PEM, as Clowder brings it; it matters only where there is encryption. */
export function withAuthority(security: KafkaSecurity, ca: string | undefined): KafkaSecurity {
  return ca === undefined || security.tls === undefined ? security : { ...security, tls: { ...security.tls, ca } };
}

/** One database, named by parts as the reference does. */
export function storageOptions<Section extends string>(section: Section, database: string) {
  return inSection(section, {
    db_driver: { default: 'postgres', choices: ['postgres'], description: 'Only postgres works' },
    pg_username: { default: 'postgres', description: 'User of the database' },
    pg_password: { default: 'postgres', secret: true, description: 'Password of that user' },
    pg_host: { default: 'localhost', description: 'Host of the database, or the folder of its socket' },
    pg_port: { type: 'integer', default: 5432, min: 0, max: 65_535, description: 'Port of the database' },
    pg_db_name: { default: database, description: 'Name of the database' },
    pg_params: { default: 'sslmode=disable', description: 'Further parameters as in a URL' },
    log_sql_queries: { default: false, description: 'Accepted for old configurations; without effect' },
  });
}

type StorageTexts = 'pg_username' | 'pg_password' | 'pg_host' | 'pg_db_name' | 'pg_params';
type StorageConfig<Name extends string> = Section<Name, StorageTexts> & {
  readonly [Key in `${Name}.pg_port`]: number;
};

/** Throws `DATABASE_URL` where host or port are missing. */
export function databaseOfParts<Name extends 'storage' | 'aggregator_storage'>(
  loaded: LocatingConfig<StorageConfig<Name>>,
  section: Name,
  rotated: RotatedSecrets = rotatedFiles(loaded),
): DatabaseLocation {
  const { config } = loaded;
  const value = (name: StorageTexts) => config[`${section}.${name}`];
  const urlWith = (password: string) =>
    composeDatabaseUrl({
      user: value('pg_username'),
      password,
      host: value('pg_host'),
      setting: `${section}.pg_host`,
      port: config[`${section}.pg_port`] as number,
      database: value('pg_db_name'),
      parameters: value('pg_params'),
    });
  const secret = rotated(`${section}.pg_password`);
  return {
    url: urlWith(value('pg_password')),
    setting: `${section}.pg_host and its neighbours`,
    loginSetting: `${section}.pg_username and ${section}.pg_password`,
    parametersSetting: `${section}.pg_params`,
    ...(secret === undefined
      ? {}
      : {
          rotated: {
            value: async () => urlWith(await secret.value()),
            reload: async () => urlWith(await secret.reload()),
          },
        }),
  };
}

/** `storage.url`, called `urlSetting` in error texts, or the reference's parts. */
export function storageDatabase(
  loaded: LocatingConfig<StorageConfig<'storage'> & { readonly 'storage.url': string }>,
  {
    urlSetting = 'storage.url (--database, CCX_DATABASE_URL)',
    rotated = rotatedFiles(loaded),
  }: { readonly urlSetting?: string; readonly rotated?: RotatedSecrets } = {},
): DatabaseLocation {
  const url = loaded.config['storage.url'];
  return url === ''
    ? databaseOfParts(loaded, 'storage', rotated)
    : databaseOfUrl(loaded, 'storage.url', urlSetting, rotated);
}
