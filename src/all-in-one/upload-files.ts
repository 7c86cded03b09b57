/**
 * The uploads of `--once` and of the demonstration: each file goes to ingress over HTTP as an operator would send it, with the token that
 * this process has made for itself.
 */
import { readFile } from 'node:fs/promises';
import { isUuid } from '../contracts/identifiers.ts';
import { CcxError, errorText } from '../encoding/ccx-error.ts';
import { openArchive } from '../platform/archive/open-archive.ts';
import type { Clock } from '../platform/clock/clock.ts';
import { uploadArchive } from '../tools/cluster-simulator/upload-archive.ts';
import type { AllInOne } from './start-all-in-one.ts';

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

const clusterIdPath = 'config/id';

interface UploadContext {
  readonly uploadUrl: string;
  /** This process's own. */
  readonly token: string;
  readonly clock: Clock;
}

export function uploadContext({ ingress, ownToken }: AllInOne, clock: Clock): UploadContext {
  return { uploadUrl: ingress.uploadUrl, token: ownToken, clock };
}

/** Never rejects: what went wrong is part of the answer. */
export async function uploadFile(file: string, context: UploadContext): Promise<FileUpload> {
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
  { uploadUrl, token }: UploadContext,
): Promise<FileUpload> {
  const { file, archive, gatheredAt } = upload;
  const cluster = await clusterIdOf(archive);
  try {
    const answer = await uploadArchive({
      url: uploadUrl,
      archive,
      // One that is not known here is not named either: ingress and the pipeline say what they think of the archive.
      clusterId: cluster,
      gatheredAt,
      token,
    });
    const accepted = answer.status === 202 || answer.status === 201;
    const reason = accepted ? '' : `status ${answer.status}${answer.body === '' ? '' : `: ${answer.body.trim()}`}`;
    return { file, requestId: answer.requestId ?? '', cluster, status: answer.status, accepted, reason };
  } catch (error) {
    return { file, requestId: '', cluster, status: 0, accepted: false, reason: errorText(error) };
  }
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
