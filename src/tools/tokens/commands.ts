/** `ccx tokens add|list|revoke`: who may upload, read and change, in the file that gateways read. */
import { randomBytes } from 'node:crypto';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { isUuid, parseOrgId } from '../../contracts/identifiers.ts';
import { CcxError, errorCode } from '../../encoding/ccx-error.ts';
import { editTokenFile } from '../../platform/auth/edit-token-file.ts';
import {
  hashToken,
  parseTokenFile,
  readTokenFile,
  type TokenEntry,
  type TokenOwner,
  type TokenScope,
  tokenScopes,
} from '../../platform/auth/token-file.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import { describeFailure } from '../../platform/lifecycle/run-role.ts';

/** Nobody guesses it. */
const tokenBytes = 32;
/** Of a hash, to name a token by. */
const hashDigitsMin = 8;
const failedExitCode = 2;
const fileVariable = 'CCX_INGRESS__GATEWAY__TOKENS_FILE';

interface AddFlags {
  readonly organization: number;
  readonly account?: string;
  readonly cluster?: string;
  readonly anyCluster?: boolean;
  readonly scope?: readonly TokenScope[];
  readonly name?: string;
  readonly sha256?: string;
  readonly json?: boolean;
}

export function register(program: Command, input: ProcessInput): void {
  const group = program
    .command('tokens')
    .description(
      'bearer tokens of clusters, hubs and people, in the file that gateway.tokens_file names: add, list, revoke',
    )
    .addHelpText('after', exitCodesHelp);

  withFile(
    group
      .command('add')
      .description('makes a token, shows it this once and stores its hash; it counts within 15 s, without a restart'),
  )
    .requiredOption('--organization <number>', 'whose it is: a number of your choosing', organization)
    .option('--account <number>', "the organization's account number, for what is announced", account)
    .option('--cluster <id>', 'the one cluster that it uploads for, and reads', cluster)
    .option('--any-cluster', 'it uploads for any cluster that is nobody else’s, and reads those that it was first to')
    .addOption(
      new Option(
        '--scope <name...>',
        'what it may: cluster (uploads, reads its own cluster; the default), organization (reads all clusters of its organization: a hub), write (acknowledges, enables, disables what it may read)',
      ).choices(tokenScopes),
    )
    .option('--name <text>', 'what to call it in lists and records')
    .option('--sha256 <digits>', 'of a token that there is already, e.g. in a pull secret; none is made then', sha256)
    .option('--json', 'as one JSON object')
    .action((flags: AddFlags, command: Command) => addToken(fileOf(command, input), flags));

  withFile(group.command('list').description('all tokens: by their hashes, nobody knows more of them'))
    .option('--json', 'one JSON object per line')
    .action(async (flags: { json?: boolean }, command: Command) => {
      const path = fileOf(command, input);
      const owners = [...parseTokenFile(await readTokenFile(path), path).values()];
      for (const owner of owners) print(flags.json === true ? JSON.stringify(documentOf(owner)) : lineOf(owner));
      if (owners.length === 0 && flags.json !== true) print('there is no token');
    });

  withFile(
    group
      .command('revoke')
      .description('takes a token away: it counts no more within 15 s, in every process that reads the file')
      .argument('<token>', `its name, its SHA-256, or the first ${hashDigitsMin} digits of that or more`),
  ).action((named: string, _flags: unknown, command: Command) => revokeToken(fileOf(command, input), named));
}

const exitCodesHelp = `
Exit codes:
  0  done
  1  wrong use, or the file is not good
  ${failedExitCode}  the file cannot be written here (add then shows the entry to put into it), or no such token
`;

async function addToken(path: string, flags: AddFlags): Promise<void> {
  const scopes = flags.scope ?? ['cluster'];
  checkScope(flags, scopes);
  const token = flags.sha256 === undefined ? makeToken() : undefined;
  const entry: TokenEntry = {
    sha256: flags.sha256 ?? hashToken(token!),
    org_id: String(flags.organization),
    ...(flags.account === undefined ? {} : { account_number: flags.account }),
    ...(flags.cluster === undefined ? {} : { cluster_id: flags.cluster }),
    ...(flags.scope === undefined ? {} : { scopes: [...new Set(flags.scope)] }),
    ...(flags.name === undefined ? {} : { name: flags.name }),
  };
  let readOnly: CcxError | undefined;
  try {
    await editTokenFile(
      path,
      (document, owners) => {
        refuseTaken(entry, owners);
        return { ...document, tokens: [...document.tokens, entry] };
      },
      createSystemClock(),
    );
  } catch (error) {
    if (!(error instanceof CcxError) || errorCode(error) !== 'TOKENS_READ_ONLY') throw error;
    readOnly = error;
  }
  const stored = readOnly === undefined;
  if (flags.json === true) print(JSON.stringify({ stored, ...(token === undefined ? {} : { token }), entry }));
  else {
    if (token !== undefined) print(token);
    if (!stored) print(JSON.stringify(entry));
  }
  if (readOnly !== undefined) return endWith(readOnly);
  // Apart from the token, which somebody may want in a variable.
  if (flags.json !== true)
    process.stderr.write(
      token === undefined
        ? `stored in ${path}\n`
        : `stored in ${path} is its hash only: keep the token, it is not shown again\n`,
    );
}

/**
 * As `auth` of a pull secret has to look: base64 of a name and a password. What is not would keep the cluster's nodes from reading their
 * pull secret at all.
 */
function makeToken(): string {
  return Buffer.from(`ccx:${randomBytes(tokenBytes).toString('base64url')}`).toString('base64');
}

function checkScope({ cluster: bound, anyCluster }: AddFlags, scopes: readonly TokenScope[]): void {
  if (!scopes.includes('cluster') && !scopes.includes('organization'))
    throw inputError(
      'TOKEN_SCOPE',
      'nothing could be done with a token of that scope',
      'add --scope cluster or organization',
    );
  if (bound !== undefined && anyCluster === true)
    throw inputError('TOKEN_CLUSTER', '--cluster and --any-cluster exclude each other', 'give either');
  if (scopes.includes('cluster') && bound === undefined && anyCluster !== true)
    throw inputError(
      'TOKEN_CLUSTER',
      'no cluster was named: the token could upload for any',
      'give --cluster ID, or --any-cluster if that is meant',
    );
}

function refuseTaken({ sha256: hash, name }: TokenEntry, owners: ReadonlyMap<string, TokenOwner>): void {
  if (owners.has(hash))
    throw inputError('TOKEN_KNOWN', 'that token is in the file already', 'ccx tokens list shows it by its SHA-256');
  if (name !== undefined && [...owners.values()].some((owner) => owner.name === name))
    throw inputError('TOKEN_NAME', `there is a token of the name ${JSON.stringify(name)}`, 'give another --name');
}

async function revokeToken(path: string, named: string): Promise<void> {
  const owners = parseTokenFile(await readTokenFile(path), path);
  const owner = findToken(named, owners);
  if (owner === undefined)
    return endWith(
      inputError('TOKEN_UNKNOWN', `there is no token ${JSON.stringify(named)}`, 'ccx tokens list shows all there are'),
    );
  const isOther = (entry: TokenEntry) => entry.sha256.toLowerCase() !== owner.sha256;
  try {
    await editTokenFile(
      path,
      (document) => ({ ...document, tokens: document.tokens.filter(isOther) }),
      createSystemClock(),
    );
  } catch (error) {
    if (!(error instanceof CcxError) || errorCode(error) !== 'TOKENS_READ_ONLY') throw error;
    return endWith(error);
  }
  print(`revoked  ${lineOf(owner)}`);
}

function findToken(named: string, owners: ReadonlyMap<string, TokenOwner>): TokenOwner | undefined {
  const hash = named.toLowerCase();
  const isHash = hash.length >= hashDigitsMin && /^[0-9a-f]+$/.test(hash);
  const found = [...owners.values()].filter(
    ({ name, sha256: own }) => (name !== '' && name === named) || (isHash && own.startsWith(hash)),
  );
  if (found.length > 1)
    throw inputError(
      'TOKEN_AMBIGUOUS',
      `${found.length} tokens are meant by ${JSON.stringify(named)}`,
      'name one by its whole SHA-256, as ccx tokens list shows it',
    );
  return found[0];
}

function withFile(command: Command): Command {
  return command.option(
    '--tokens-file <path>',
    `the file; by default the one that ${fileVariable} names, as for the processes that read it`,
  );
}

function fileOf(command: Command, { env }: ProcessInput): string {
  const path = command.opts<{ tokensFile?: string }>().tokensFile ?? env[fileVariable] ?? '';
  if (path !== '') return path;
  throw inputError('TOKENS_NO_FILE', 'no token file was named', `give --tokens-file PATH, or set ${fileVariable}`);
}

function organization(text: string): number {
  const number = parseOrgId(text);
  if (number === undefined) throw new InvalidArgumentError('An organization is named by its number.');
  return number;
}

function account(text: string): string {
  if (!/^[0-9]{1,10}$/.test(text)) throw new InvalidArgumentError('An account number has one to ten digits.');
  return text;
}

function cluster(text: string): string {
  if (!isUuid(text)) throw new InvalidArgumentError('A cluster is named by its UUID.');
  return text.toLowerCase();
}

function sha256(text: string): string {
  if (!/^[0-9a-f]{64}$/i.test(text)) throw new InvalidArgumentError('A SHA-256 has 64 hexadecimal digits.');
  return text.toLowerCase();
}

function inputError(code: string, message: string, hint: string): CcxError {
  return new CcxError(message, { code, category: 'input', hint });
}

function endWith(error: CcxError): void {
  process.stderr.write(`${describeFailure(error)}\n`);
  process.exitCode = failedExitCode;
}

function documentOf({ sha256: hash, orgId, accountNumber, clusterId, scopes, name }: TokenOwner) {
  return {
    ...{ sha256: hash, org_id: orgId, account_number: accountNumber },
    ...{ cluster_id: clusterId ?? null, scopes, name },
  };
}

function lineOf({ sha256: hash, orgId, clusterId, scopes, name }: TokenOwner): string {
  const where = scopes.includes('cluster') ? (clusterId ?? 'any cluster') : 'uploads nothing';
  return [hash, `organization ${orgId}`, where, scopes.join(' and '), name === '' ? '' : JSON.stringify(name)]
    .filter((part) => part !== '')
    .join('  ');
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
