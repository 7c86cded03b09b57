/**
 * The uploads of `--once` and of the demonstration: each file goes to ingress over HTTP as an operator would send it, with the token that
 * this process has made for itself.
 */
import { readFile } from 'node:fs/promises';
import { isUuid } from '../contracts/identifiers.ts';
import { CcxError, errorText } from '../encoding/ccx-error.ts';
import { openArchive } from '../platform/archive/open-archive.ts';
import { uploadArchive } from '../tools/cluster-simulator/upload-archive.ts';
import type { AllInOne } from './start-all-in-one.ts';

export interface FileUpload {
  readonly requestId: string;
  readonly accepted: boolean;
  /** Why not, where it was not. */
  readonly reason: string;
}

/** Never rejects: what went wrong is part of the answer. */
export async function uploadFile(file: string, installation: AllInOne, gatheredAt: Date): Promise<FileUpload> {
  let archive: Buffer;
  try {
    archive = await readFile(file);
  } catch (error) {
    return { requestId: '', accepted: false, reason: `cannot be read: ${errorText(error)}` };
  }
  return uploadBytes(archive, installation, gatheredAt);
}

export async function uploadBytes(
  archive: Buffer,
  { ingress, ownToken }: AllInOne,
  gatheredAt: Date,
): Promise<FileUpload> {
  // One that is not known here is not named either: ingress and the pipeline say what they think of the archive.
  const clusterId = await clusterIdOf(archive);
  try {
    const upload = {
      url: ingress.uploadUrl.replace(ingress.baseUrl, ingress.insideUrl),
      archive,
      clusterId,
      gatheredAt,
      token: ownToken,
    };
    const { status, body, requestId = '' } = await uploadArchive(upload);
    const accepted = status === 202 || status === 201;
    const reason = accepted ? '' : `status ${status}${body === '' ? '' : `: ${body.trim()}`}`;
    return { requestId, accepted, reason };
  } catch (error) {
    return { requestId: '', accepted: false, reason: errorText(error) };
  }
}

/** What `config/id` says; undefined where it is missing, is no cluster's id, or the file is no archive (for ingress to take all the same). */
async function clusterIdOf(archive: Buffer): Promise<string | undefined> {
  try {
    const text = (await openArchive(archive)).get('config/id')?.subarray(0, 36).toString('utf8');
    return text !== undefined && isUuid(text) ? text : undefined;
  } catch (error) {
    if (error instanceof CcxError) return undefined;
    throw error;
  }
}
