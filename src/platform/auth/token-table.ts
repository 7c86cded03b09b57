/**
 * Which token belongs to whom, from the file that an administrator keeps. It is read again when it changes, so that a revoked token is good
 * for a few seconds more; a file that cannot be read leaves the table as it was. Opened by the gateway.
 */
import type { Clock } from '../clock/clock.ts';
import { hashToken, parseTokenFile, readTokenFile, type TokenOwner, versionOfTokenFile } from './token-file.ts';

/** A token that was revoked must count nowhere 15 s later, also where the machine is busy. */
const tokenFileCheckedEveryMs = 5_000;

export interface TokenTable {
  find(token: string): TokenOwner | undefined;
  /** Organizations whose tokens are good for this cluster only. */
  boundTo(clusterId: string): readonly number[];
}

export interface TokenFileEvents {
  readonly onLoaded: (count: number) => void;
  readonly onFailed: (error: unknown) => void;
}

/** Codes: `TOKENS_UNREADABLE`, `TOKENS_INVALID`; `reload` rejects with them, too, and leaves the table as it was. */
export async function openTokenFile(
  options: TokenFileEvents & { readonly path: string; readonly clock: Pick<Clock, 'every'> },
) {
  let owners = new Map<string, TokenOwner>();
  let bound = new Map<string, number[]>();
  let readVersion = '';
  const reload = async () => {
    const version = await versionOfTokenFile(options.path);
    if (version === readVersion) return;
    owners = parseTokenFile(await readTokenFile(options.path), options.path);
    bound = boundClusters(owners.values());
    readVersion = version;
    options.onLoaded(owners.size);
  };
  await reload();
  const stop = options.clock.every(tokenFileCheckedEveryMs, () => reload().catch(options.onFailed));
  return {
    // A map from hashes: how long a look-up takes says nothing about the token.
    find: (token: string): TokenOwner | undefined => owners.get(hashToken(token)),
    boundTo: (clusterId: string): readonly number[] => bound.get(clusterId) ?? [],
    reload,
    close: stop,
  };
}

/** Of tokens that upload: a hub that reads alone settles nothing about its own cluster. */
function boundClusters(owners: Iterable<TokenOwner>): Map<string, number[]> {
  const bound = new Map<string, number[]>();
  for (const { clusterId, orgId, scopes } of owners) {
    if (clusterId === undefined || !scopes.includes('cluster')) continue;
    bound.set(clusterId, [...(bound.get(clusterId) ?? []), Number(orgId)]);
  }
  return bound;
}
