/**
 * TLS to Vault or OpenBao: an authority of its own, a client certificate, the name that the server's certificate is for. By our options and by
 * the names that Vault's own tools have for them, with their precedence: one file, then the PEM itself, then a folder; what is given
 * takes the place of the authorities that everybody trusts. Source: the environment of Vault's and OpenBao's Go clients.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { configInvalid } from '../../../encoding/ccx-error.ts';

/** What `tls.connect` takes of it; the files are read again each time, since certificates are replaced. */
export type VaultTls = () => Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'servername'>;

interface VaultTlsInput {
  /** The value of an option of ours, or else the first of those variables that is set. */
  readonly value: (key: VaultTlsKey, names: readonly string[]) => string;
  /** The first of these variables that is set. */
  readonly variable: (names: readonly string[]) => string;
  /** How a person names an option, for error texts. */
  readonly environmentName: (key: string) => string;
}

type VaultTlsKey = keyof typeof vaultTlsOptions;

export const vaultTlsOptions = {
  'vault.ca_file': {
    type: 'string',
    default: '',
    description:
      'PEM file with the certificate authority of Vault, in place of those that Node knows (also VAULT_CACERT, BAO_CACERT; VAULT_CACERT_BYTES holds the PEM itself, VAULT_CAPATH names a folder)',
  },
  'vault.client_cert_file': {
    type: 'string',
    default: '',
    description:
      'PEM file with a client certificate, where Vault asks for one (also VAULT_CLIENT_CERT, BAO_CLIENT_CERT)',
  },
  'vault.client_key_file': {
    type: 'string',
    default: '',
    description: 'PEM file with its key (also VAULT_CLIENT_KEY, BAO_CLIENT_KEY)',
  },
  'vault.tls_server_name': {
    type: 'string',
    default: '',
    description:
      'Name that the certificate of Vault is for, where it is not the host of vault.address (also VAULT_TLS_SERVER_NAME, BAO_TLS_SERVER_NAME)',
  },
} as const;

/** Undefined where nothing is set. Throws `CONFIG_INVALID` when a file cannot be used, and when the certificate is not to be verified. */
export function vaultTls(input: VaultTlsInput): VaultTls | undefined {
  refuseSkippedVerification(input);
  const read = readerOf(input);
  // At the start a wrong path is said of its setting; later a file that is being replaced is no reason to stop.
  let lastGood = read();
  if (Object.keys(lastGood).length === 0) return undefined;
  return () => {
    try {
      lastGood = read();
    } catch {
      // The handshake says what comes of it.
    }
    return lastGood;
  };
}

function refuseSkippedVerification({ variable }: VaultTlsInput): void {
  const text = variable(['VAULT_SKIP_VERIFY', 'BAO_SKIP_VERIFY']);
  if (/^(|0|f|false)$/i.test(text)) return;
  throw configInvalid(
    'VAULT_SKIP_VERIFY asks for a Vault that anybody can pretend to be, which is not supported',
    'take VAULT_SKIP_VERIFY out, and name the certificate authority of Vault in vault.ca_file (VAULT_CACERT)',
  );
}

function readerOf({ value, variable, environmentName }: VaultTlsInput): VaultTls {
  const caFile = value('vault.ca_file', ['VAULT_CACERT', 'BAO_CACERT']);
  const caText = variable(['VAULT_CACERT_BYTES', 'BAO_CACERT_BYTES']);
  const caFolder = variable(['VAULT_CAPATH', 'BAO_CAPATH']);
  const certFile = value('vault.client_cert_file', ['VAULT_CLIENT_CERT', 'BAO_CLIENT_CERT']);
  const keyFile = value('vault.client_key_file', ['VAULT_CLIENT_KEY', 'BAO_CLIENT_KEY']);
  const servername = value('vault.tls_server_name', ['VAULT_TLS_SERVER_NAME', 'BAO_TLS_SERVER_NAME']);
  if ((certFile === '') !== (keyFile === '')) {
    throw configInvalid(
      'of the client certificate for Vault and its key only one is set',
      `set ${environmentName('vault.client_cert_file')} and ${environmentName('vault.client_key_file')}, or neither`,
    );
  }
  const named = (key: VaultTlsKey, tools: string) => `${key} (${environmentName(key)}, ${tools})`;
  const authority = () => {
    if (caFile !== '') return readPem(caFile, named('vault.ca_file', 'VAULT_CACERT'));
    if (caText !== '') return requirePem(caText, 'VAULT_CACERT_BYTES', 'its text');
    return caFolder === '' ? undefined : readFolder(caFolder);
  };
  return () => {
    const ca = authority();
    return {
      ...(ca === undefined ? {} : { ca }),
      ...(certFile === ''
        ? {}
        : {
            cert: readPem(certFile, named('vault.client_cert_file', 'VAULT_CLIENT_CERT')),
            key: readPem(keyFile, named('vault.client_key_file', 'VAULT_CLIENT_KEY')),
          }),
      ...(servername === '' ? {} : { servername }),
    };
  };
}

/** Every file in it that holds a certificate. */
function readFolder(folder: string): string[] {
  const setting = 'VAULT_CAPATH';
  try {
    const paths = readdirSync(folder).map((name) => join(folder, name));
    const texts = paths.filter((path) => statSync(path).isFile()).map((path) => readFileSync(path, 'utf8'));
    const found = texts.filter((text) => text.includes(pemHead));
    if (found.length > 0) return found;
  } catch (cause) {
    throw unusable(setting, folder, `cannot be read (${String(cause)})`);
  }
  throw unusable(setting, folder, 'holds no certificate');
}

function readPem(path: string, setting: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw unusable(setting, path, `cannot be read (${String(cause)})`);
  }
  return requirePem(text, setting, path);
}

function requirePem(text: string, setting: string, where: string): string {
  if (text.includes(pemHead)) return text;
  throw unusable(setting, where, 'holds no PEM');
}

const pemHead = '-----BEGIN ';

function unusable(setting: string, what: string, problem: string) {
  return configInvalid(`${setting}: ${what} ${problem}`, `change ${setting}`);
}
