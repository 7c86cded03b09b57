/** `ccx ingress` as a process, on the embedded bus and a directory or a bucket, for tests of what it is to its clients. */
import { type CcxProcess, type CcxRun, startCcx } from './ccx-process.ts';

export interface IngressRole {
  readonly role: CcxProcess;
  /** Of its web listener. */
  readonly url: string;
}

export interface IngressRoleOptions extends Omit<CcxRun, 'args'> {
  /** A directory; absent where `env` names a bucket. */
  readonly storagePath?: string;
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
  env = {},
  ...run
}: IngressRoleOptions): Promise<IngressRole> {
  const anyPort = ['--host', '127.0.0.1', '--port', '0', '--metrics-port', '0'];
  const directory = storagePath === undefined ? [] : ['--storage-path', storagePath];
  const role = startCcx({
    ...run,
    args: ['ingress', ...anyPort, '--bus', 'postgres', ...directory, ...flags],
    env: {
      ...(storagePath === undefined ? {} : { INGRESS_STAGERIMPLEMENTATION: 'filebased' }),
      INGRESS_VALID_UPLOAD_TYPES: 'openshift',
      CCX_INGRESS__STORAGE__FREE_BYTES_MIN: '0',
      CCX_DATABASE_URL: databaseUrl,
      ...env,
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
