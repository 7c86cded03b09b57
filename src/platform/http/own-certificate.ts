/**
 * The certificate of our own ports: two PEM files, read again while the server runs, so that who renews them restarts nothing. Files that do
 * not fit together, as they may for a moment while they are replaced, leave the certificate as it was. Used by `http-server.ts`.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { SecureContextOptions } from 'node:tls';
import { CcxError, configInvalid } from '../../encoding/ccx-error.ts';
import type { Clock } from '../clock/clock.ts';

/** Those who keep certificates renew them days before they end. */
export const certificateCheckedEveryMs = 15_000;
/** Source: RFC 8996 forbids what is older. */
const minVersion = 'TLSv1.2';

/** Of every role that serves HTTP: part of its table of options. */
export const tlsOptions = {
  'tls.cert_file': {
    default: '',
    flag: 'tls-cert',
    description:
      'PEM file of the certificate of our own ports, and of those between it and its authority; without, they speak plain HTTP',
  },
  'tls.key_file': {
    default: '',
    flag: 'tls-key',
    description: 'PEM file of its private key, without a password. Both files are read again when they change',
  },
} as const;

export interface TlsFiles {
  /** Empty, as the other is: plain HTTP. */
  readonly certFile: string;
  readonly keyFile: string;
}

export interface CertificateEvents {
  /** Until when it is good. */
  readonly onReplaced?: (until: Date) => void;
  /** The one before stays. Once for each reason. */
  readonly onFailed?: (error: CcxError) => void;
}

/** Undefined without files. Throws `CONFIG_INVALID` for one of two, `TLS_FILE_UNREADABLE`, `TLS_FILES_INVALID`. */
export function openOwnCertificate(files: TlsFiles | undefined): OwnCertificate | undefined {
  if (files === undefined || (files.certFile === '' && files.keyFile === '')) return undefined;
  if (files.certFile === '' || files.keyFile === '') {
    throw configInvalid(
      'a certificate and its key belong together',
      'set both tls.cert_file (--tls-cert) and tls.key_file (--tls-key), or neither',
    );
  }
  return new OwnCertificate(files);
}

class OwnCertificate {
  readonly #files: TlsFiles;
  #now: SecureContextOptions & { readonly cert: string; readonly key: string };
  #saidWhy = '';

  constructor(files: TlsFiles) {
    this.#files = files;
    this.#now = readPair(files);
  }

  options(): SecureContextOptions {
    return this.#now;
  }

  /** Looks at the files now and then, and hands over what has changed. Answers how to end that. */
  watch(clock: Clock, replace: (options: SecureContextOptions) => void, events: CertificateEvents): () => void {
    return clock.every(certificateCheckedEveryMs, () => {
      try {
        const found = readPair(this.#files);
        this.#saidWhy = '';
        if (found.cert === this.#now.cert && found.key === this.#now.key) return;
        replace(found);
        this.#now = found;
        events.onReplaced?.(new X509Certificate(found.cert).validToDate);
      } catch (error) {
        if (!(error instanceof CcxError)) throw error;
        if (error.message === this.#saidWhy) return;
        this.#saidWhy = error.message;
        events.onFailed?.(error);
      }
    });
  }
}

function readPair({ certFile, keyFile }: TlsFiles) {
  const pair = { cert: readPem(certFile, '--tls-cert'), key: readPem(keyFile, '--tls-key'), minVersion } as const;
  // TLS takes 11 ms to load, also in programs that only say something, and most that serve have no certificate.
  const { createSecureContext } = process.getBuiltinModule('node:tls');
  try {
    createSecureContext(pair);
  } catch (cause) {
    // The library's reason is short and quotes nothing of the key.
    throw new CcxError(`${certFile} and ${keyFile} are no certificate and its key: ${(cause as Error).message}`, {
      code: 'TLS_FILES_INVALID',
      category: 'configuration',
      cause,
      hint: 'give the PEM files of a certificate (--tls-cert) and of the private key that belongs to it (--tls-key)',
    });
  }
  return pair;
}

function readPem(path: string, flag: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new CcxError(`${path} cannot be read`, {
      code: 'TLS_FILE_UNREADABLE',
      category: 'configuration',
      cause,
      hint: `check the file that ${flag} names, and who may read it`,
    });
  }
}
