/** `ccx ingress` as a process, on the embedded bus and a directory, for tests of what it is to its clients. */
import { type CcxProcess, type CcxRun, startCcx } from './ccx-process.ts';

export interface IngressRole {
  readonly role: CcxProcess;
  /** Of its web listener. */
  readonly url: string;
}

export interface IngressRoleOptions extends Omit<CcxRun, 'args' | 'env'> {
  readonly storagePath: string;
  readonly databaseUrl: string;
  readonly flags?: readonly string[];
}

/** Only a failing test waits so long. */
const startMsMax = 60_000;

/** The caller kills it. */
export async function startIngressRole({
  storagePath,
  databaseUrl,
  flags = [],
  ...run
}: IngressRoleOptions): Promise<IngressRole> {
  const anyPort = ['--host', '127.0.0.1', '--port', '0', '--metrics-port', '0'];
  const role = startCcx({
    ...run,
    args: ['ingress', ...anyPort, '--bus', 'postgres', '--storage-path', storagePath, ...flags],
    env: {
      INGRESS_STAGERIMPLEMENTATION: 'filebased',
      INGRESS_VALID_UPLOAD_TYPES: 'openshift',
      CCX_INGRESS__STORAGE__FREE_BYTES_MIN: '0',
      CCX_DATABASE_URL: databaseUrl,
    },
  });
  try {
    const [, url = ''] = await role.waitForOutput(/"web":"(http:[^"]+)"/, startMsMax);
    return { role, url };
  } catch (error) {
    role.kill('SIGKILL');
    throw error;
  }
}
