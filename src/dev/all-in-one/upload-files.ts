/**
 * The uploads of `--once` and of the demonstration: each file goes to ingress over HTTP as an operator would send it, with an identity like
 * the one that a gateway makes.
 */
import { readFile } from 'node:fs/promises';
import { CcxError, errorText } from '../../contracts/ccx-error.ts';
import { isUuid } from '../../contracts/identifiers.ts';
import type { Identity } from '../../contracts/identity.ts';
import { openArchive } from '../../platform/archive/open-archive.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { uploadArchive } from '../cluster-simulator/upload-archive.ts';

export interface FileUpload {
  readonly file: string;
  readonly requestId: string;
  readonly cluster: string | undefined;
  /** 0: no answer. */
  readonly status: number;
  readonly accepted: boolean;
  /** Why not, where it was not. */
  readonly reason: string;
}

/** The owner of everything that is uploaded by hand. */
const owner = { orgId: '1', account: '1' };
/** What an operator calls itself whose archive does not say which cluster it is. */
const unknownCluster = '00000000-0000-0000-0000-000000000000';
const clusterIdPath = 'config/id';

/** Never rejects: what went wrong is part of the answer. */
export async function uploadFile(
  file: string,
  context: { readonly uploadUrl: string; readonly clock: Clock },
): Promise<FileUpload> {
  let archive: Buffer;
  try {
    archive = await readFile(file);
  } catch (error) {
    return {
      file,
      requestId: '',
      cluster: undefined,
      status: 0,
      accepted: false,
      reason: `cannot be read: ${errorText(error)}`,
    };
  }
  return uploadBytes({ file, archive, gatheredAt: context.clock.now() }, context);
}

export async function uploadBytes(
  upload: { readonly file: string; readonly archive: Buffer; readonly gatheredAt: Date },
  { uploadUrl, clock }: { readonly uploadUrl: string; readonly clock: Clock },
): Promise<FileUpload> {
  const { file, archive, gatheredAt } = upload;
  const cluster = await clusterIdOf(archive);
  const requestId = clock.uuid().replaceAll('-', '');
  try {
    const answer = await uploadArchive({
      url: uploadUrl,
      archive,
      clusterId: cluster ?? unknownCluster,
      gatheredAt,
      identity: identityOf(cluster),
      requestId,
    });
    const accepted = answer.status === 202 || answer.status === 201;
    const reason = accepted ? '' : `status ${answer.status}${answer.body === '' ? '' : `: ${answer.body.trim()}`}`;
    return { file, requestId: answer.requestId ?? requestId, cluster, status: answer.status, accepted, reason };
  } catch (error) {
    return { file, requestId, cluster, status: 0, accepted: false, reason: errorText(error) };
  }
}

export function identityOf(cluster: string | undefined): Identity {
  return {
    identity: {
      account_number: owner.account,
      org_id: owner.orgId,
      type: 'System',
      internal: { org_id: owner.orgId },
      ...(cluster === undefined ? {} : { system: { cluster_id: cluster } }),
    },
  };
}

/** What `config/id` says; undefined where it is missing, is no cluster's id, or the file is no archive (for ingress to take all the same). */
async function clusterIdOf(archive: Buffer): Promise<string | undefined> {
  try {
    const text = (await openArchive(archive)).get(clusterIdPath)?.subarray(0, 36).toString('utf8');
    return text !== undefined && isUuid(text) ? text : undefined;
  } catch (error) {
    if (error instanceof CcxError) return undefined;
    throw error;
  }
}
