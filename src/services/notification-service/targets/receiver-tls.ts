/**
 * Whom a receiver's server is believed for, and what this side shows: authority and client certificate from the files that are configured.
 * Read for each connection: who renews certificates restarts nothing.
 */
import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import { CcxError } from '../../../encoding/ccx-error.ts';
import type { OwnTls } from '../../../platform/http/tls-call.ts';

/** Paths of PEM files; empty: none. */
interface ReceiverTlsFiles {
  readonly caFile: string;
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
}

/** Rejects with `RECEIVER_FILE`, which names the key, where a file cannot be read. */
export async function readReceiverTls({ caFile, clientCertFile, clientKeyFile }: ReceiverTlsFiles): Promise<OwnTls> {
  return {
    ...(caFile === '' ? {} : { ca: [...rootCertificates, await fileOf('ca_file', caFile)] }),
    ...(clientCertFile === '' ? {} : { cert: await fileOf('client_cert_file', clientCertFile) }),
    ...(clientKeyFile === '' ? {} : { key: await fileOf('client_key_file', clientKeyFile) }),
  };
}

async function fileOf(key: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new CcxError(`${key} names a file that cannot be read: ${path}`, {
      code: 'RECEIVER_FILE',
      category: 'configuration',
      cause,
      hint: `change ${key} of the receiver`,
    });
  }
}
