/** How an S3 store is reached: what the settings of the roles come down to, and the one-line form that `ccx all-in-one --s3` takes. */
import { configInvalid } from '../../../encoding/ccx-error.ts';

export interface S3Settings {
  readonly bucket: string;
  /** `http://host:port`, `https://host`; empty: Amazon. */
  readonly endpoint: string;
  /** Empty: what the environment and the files of AWS say; with an endpoint `us-east-1`. */
  readonly region: string;
  /** Both empty: the credential chain of AWS: environment, files, IRSA, the machine's role. */
  readonly accessKey: string;
  readonly secretKey: string;
  /** `auto`: `path` with an endpoint, `host` at Amazon. */
  readonly addressing: Addressing;
  /** Of AWS's checksum headers; `auto`: `required` with an endpoint, since not every server knows them, `always` at Amazon. */
  readonly checksums: Checksums;
  readonly encryption: Encryption;
  /** With `aws:kms`: the key; empty: the bucket's. */
  readonly kmsKey: string;
  /** PEM; empty: the authorities that Node knows. */
  readonly caFile: string;
}

export const addressings = ['auto', 'path', 'host'] as const;
export const checksumModes = ['auto', 'always', 'required'] as const;
export const encryptions = ['', 'AES256', 'aws:kms'] as const;

type Addressing = (typeof addressings)[number];
type Checksums = (typeof checksumModes)[number];
type Encryption = (typeof encryptions)[number];

/** What the settings are called where they come from, for hints. */
export type S3SettingNames = Readonly<
  Record<'bucket' | 'endpoint' | 'region' | 'accessKey' | 'secretKey' | 'caFile', string>
>;

/** A signature of S3 lives no longer. */
export const s3LinkMsMax = 7 * 24 * 3_600_000;

/**
 * `http[s]://[key:secret@]host[:port]/bucket` or, at Amazon, `s3://[key:secret@]bucket`; behind a `?` what else is to be set: `region`,
 * `addressing`, `checksums`, `encryption`, `kms_key`, `ca_file`. `setting`: its name, for the error. Throws `CONFIG_INVALID`.
 */
export function parseS3Url(text: string, setting: string): S3Settings {
  const wrong = (why: string) =>
    configInvalid(
      `${setting} is no address of a bucket: ${why}`,
      `set ${setting} to http(s)://host:port/bucket, or s3://bucket for Amazon, with ?region=… where it is needed`,
    );
  const url = URL.parse(text);
  if (url === null) throw wrong('it is no URL');
  const isAmazon = url.protocol === 's3:';
  if (!isAmazon && url.protocol !== 'http:' && url.protocol !== 'https:') throw wrong('it begins with none of these');
  const path = decodeURIComponent(url.pathname).replace(/^\/|\/$/g, '');
  const bucket = isAmazon ? url.hostname : path;
  if (isAmazon && path !== '') throw wrong('keys have no prefix');
  if (!/^[A-Za-z0-9._-]+$/.test(bucket)) throw wrong(bucket === '' ? 'it names no bucket' : 'the bucket is one name');
  const unknown = [...url.searchParams.keys()].find((name) => !queryNames.has(name));
  if (unknown !== undefined) throw wrong(`nobody knows ${unknown}`);
  const one = (name: string) => url.searchParams.get(name) ?? '';
  const choice = <Value extends string>(name: string, values: readonly Value[], standard: Value): Value => {
    const value = values.find((candidate) => candidate === (url.searchParams.get(name) ?? standard));
    if (value === undefined) throw wrong(`${name} is one of ${values.filter((known) => known !== '').join(', ')}`);
    return value;
  };
  return {
    bucket,
    endpoint: isAmazon ? '' : url.origin,
    region: one('region'),
    accessKey: decodeURIComponent(url.username),
    secretKey: decodeURIComponent(url.password),
    addressing: choice('addressing', addressings, 'auto'),
    checksums: choice('checksums', checksumModes, 'auto'),
    encryption: choice('encryption', encryptions, ''),
    kmsKey: one('kms_key'),
    caFile: one('ca_file'),
  };
}

const queryNames: ReadonlySet<string> = new Set([
  'region',
  'addressing',
  'checksums',
  'encryption',
  'kms_key',
  'ca_file',
]);

/** `host:port`, as Clowder and the reference have it, or a URL. Empty stays empty: Amazon. */
export function endpointUrl(endpoint: string, useTls: boolean): string {
  if (endpoint === '' || /^https?:\/\//.test(endpoint)) return endpoint.replace(/\/+$/, '');
  return `${useTls ? 'https' : 'http'}://${endpoint}`;
}
