/**
 * Which token belongs to whom, from a JSON file that an administrator keeps:
 * `{"tokens":[{"sha256":"<hex of the token's SHA-256>","org_id":"1","account_number":"1","cluster_id":"<uuid, optional>"}]}`.
 * Only hashes are stored, so the file gives no token away. It is read again when it changes; a file that cannot be read leaves the table as
 * it was. Source: ingress.md C.2.
 */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { isUuid, parseOrgId } from '../../contracts/identifiers.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Clock } from '../clock/clock.ts';

export const tokenFileBytesMax = 16 * 1024 ** 2;

const tokenFileCheckedEveryMs = 15_000;

interface TokenOwner {
  /** Of the token, hexadecimal. */
  readonly sha256: string;
  readonly orgId: string;
  readonly accountNumber: string;
  /** Lower case. Absent: the token is good for every cluster of the organization. */
  readonly clusterId: string | undefined;
}

export interface TokenTable {
  find(token: string): TokenOwner | undefined;
  /** Organizations whose tokens are good for this cluster only. */
  boundTo(clusterId: string): readonly number[];
}

interface TokenFileOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly onLoaded: (count: number) => void;
  readonly onFailed: (error: unknown) => void;
}

const fileSchema = z.object({
  tokens: z.array(
    z.object({
      sha256: z.string().regex(/^[0-9a-fA-F]{64}$/, 'must be 64 hexadecimal digits'),
      org_id: z
        .string()
        .refine((text) => parseOrgId(text) !== undefined, 'must be digits, at most 2147483647: reports carry it so'),
      account_number: z
        .string()
        .regex(/^[0-9]{0,10}$/, 'must be digits')
        .default(''),
      cluster_id: z.string().refine(isUuid, 'must be a UUID').optional(),
    }),
  ),
});

/** Codes: `TOKENS_UNREADABLE`, `TOKENS_INVALID`; `reload` rejects with them, too, and leaves the table as it was. */
export async function openTokenFile(options: TokenFileOptions) {
  let owners = new Map<string, TokenOwner>();
  let bound = new Map<string, number[]>();
  let readVersion = '';
  const reload = async () => {
    const version = await versionOf(options.path);
    if (version === readVersion) return;
    owners = parseTokens(await readText(options.path), options.path);
    bound = boundClusters(owners.values());
    readVersion = version;
    options.onLoaded(owners.size);
  };
  await reload();
  const stop = options.clock.every(tokenFileCheckedEveryMs, () => reload().catch(options.onFailed));
  return {
    // A map from hashes: how long a look-up takes says nothing about the token.
    find: (token: string): TokenOwner | undefined => owners.get(createHash('sha256').update(token).digest('hex')),
    boundTo: (clusterId: string): readonly number[] => bound.get(clusterId) ?? [],
    reload,
    close: stop,
  };
}

async function versionOf(path: string): Promise<string> {
  try {
    const { size, mtimeMs, ino } = await stat(path);
    if (size > tokenFileBytesMax) throw invalid(path, `it is larger than ${tokenFileBytesMax} bytes`);
    return `${ino}:${size}:${mtimeMs}`;
  } catch (cause) {
    throw cause instanceof CcxError ? cause : unreadable(path, cause);
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function parseTokens(text: string, path: string): Map<string, TokenOwner> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    // Not the parser's words: they quote the file.
    throw invalid(path, 'it is not JSON');
  }
  const parsed = fileSchema.safeParse(document);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw invalid(path, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
  }
  const owners = new Map<string, TokenOwner>();
  for (const { sha256, org_id, account_number, cluster_id } of parsed.data.tokens) {
    const key = sha256.toLowerCase();
    if (owners.has(key)) throw invalid(path, 'it lists one token twice');
    owners.set(key, {
      sha256: key,
      orgId: org_id,
      accountNumber: account_number,
      clusterId: cluster_id?.toLowerCase(),
    });
  }
  return owners;
}

function boundClusters(owners: Iterable<TokenOwner>): Map<string, number[]> {
  const bound = new Map<string, number[]>();
  for (const { clusterId, orgId } of owners) {
    if (clusterId !== undefined) bound.set(clusterId, [...(bound.get(clusterId) ?? []), Number(orgId)]);
  }
  return bound;
}

const hint = 'check the file that gateway.tokens_file names';

function unreadable(path: string, cause: unknown): CcxError {
  return new CcxError(`the token file ${path} cannot be read`, {
    code: 'TOKENS_UNREADABLE',
    category: 'configuration',
    cause,
    hint,
  });
}

function invalid(path: string, why: string): CcxError {
  return new CcxError(`the token file ${path} is refused: ${why}`, {
    code: 'TOKENS_INVALID',
    category: 'configuration',
    hint,
  });
}
