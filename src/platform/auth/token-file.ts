/**
 * The file of bearer tokens as it is written, by an administrator or by `ccx tokens`, and read by the gateway:
 * `{"tokens":[{"sha256":"<hex of the token's SHA-256>","org_id":"1","account_number":"1","cluster_id":"<uuid>","scopes":["cluster"],"name":"hub"}]}`;
 * the last four may be absent. Only hashes are stored, so the file gives no token away. Source: ingress.md C.2.
 *
 * Versions: before `scopes` and `name` came, entries had neither, and mean the same as ever: `cluster`. What an entry has besides is left
 * alone.
 */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { isUuid, parseOrgId } from '../../contracts/identifiers.ts';
import { CcxError } from '../../encoding/ccx-error.ts';

export const tokenFileBytesMax = 16 * 1024 ** 2;

/** `cluster`: uploads, and reads its own cluster. `organization`: reads all of its clusters. `write`: changes what it may read. */
export const tokenScopes = ['cluster', 'organization', 'write'] as const;

export type TokenScope = (typeof tokenScopes)[number];

export interface TokenOwner {
  /** Of the token, hexadecimal, lower case. */
  readonly sha256: string;
  readonly orgId: string;
  /** May be empty. */
  readonly accountNumber: string;
  /** Lower case. Absent: the token uploads for any cluster that is nobody else's. */
  readonly clusterId: string | undefined;
  readonly scopes: readonly TokenScope[];
  /** What people call it; may be empty. */
  readonly name: string;
}

/** An entry as the file has it. */
export type TokenEntry = z.input<typeof entrySchema>;

const entrySchema = z.object({
  sha256: z.string().regex(/^[0-9a-fA-F]{64}$/, 'must be 64 hexadecimal digits'),
  org_id: z
    .string()
    .refine((text) => parseOrgId(text) !== undefined, 'must be digits, at most 2147483647: reports carry it so'),
  account_number: z
    .string()
    .regex(/^[0-9]{0,10}$/, 'must be digits')
    .default(''),
  cluster_id: z.string().refine(isUuid, 'must be a UUID').optional(),
  scopes: z
    .array(z.enum(tokenScopes, `must be of ${tokenScopes.join(', ')}`))
    .refine(
      (scopes) => scopes.includes('cluster') || scopes.includes('organization'),
      'must hold cluster or organization: nothing could be done with the token',
    )
    .default(['cluster']),
  name: z.string().max(120, 'must have at most 120 characters').default(''),
});

const fileSchema = z.object({ tokens: z.array(entrySchema) });

export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** Changes when somebody has written the file. Rejects with `TOKENS_UNREADABLE`, and with `TOKENS_INVALID` for too large a file. */
export async function versionOfTokenFile(path: string): Promise<string> {
  try {
    const { size, mtimeMs, ino } = await stat(path);
    if (size > tokenFileBytesMax) throw invalid(path, `it is larger than ${tokenFileBytesMax} bytes`);
    return `${ino}:${size}:${mtimeMs}`;
  } catch (cause) {
    throw cause instanceof CcxError ? cause : unreadable(path, cause);
  }
}

/** Rejects with `TOKENS_UNREADABLE`. */
export async function readTokenFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** By their hashes. Throws `TOKENS_INVALID`, whose text shows nothing of the file: somebody may have written a token into it. */
export function parseTokenFile(text: string, path: string): Map<string, TokenOwner> {
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
  for (const { sha256, org_id, account_number, cluster_id, scopes, name } of parsed.data.tokens) {
    const key = sha256.toLowerCase();
    if (owners.has(key)) throw invalid(path, 'it lists one token twice');
    owners.set(key, {
      sha256: key,
      orgId: org_id,
      accountNumber: account_number,
      clusterId: cluster_id?.toLowerCase(),
      ...{ scopes, name },
    });
  }
  return owners;
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
