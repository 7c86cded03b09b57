/**
 * `--config` of the data pipeline: the hosted service's YAML where the file is that, with what Clowder says above it, else a file of our own.
 * Called by `commands.ts`. Source: data-pipeline.md 1.2, 1.3.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CcxError, errorText } from '../../../encoding/ccx-error.ts';
import { type ConfigFile, readConfigFile } from '../../../platform/config/config-file.ts';
import { type ClowderKafka, isHostedConfig, readHostedConfig } from './read-hosted-config.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The values that switch Clowder on for the hosted program. */
const clowderWords: readonly (string | undefined)[] = ['True', 'true', '1', 'yes'];

interface HostedConfigs {
  /** As `loadCommandConfig` reads a file. Throws `CONFIG_FILE`, `CONFIG_HOSTED` or `CONFIG_CLOWDER`. */
  read(path: string): ConfigFile;
  /** Of the files read. */
  readonly warnings: string[];
  /** Removes the file that holds the brokers' certificate authority, once it was read. */
  cleanUp(): void;
}

export async function openHostedConfigs(env: Environment): Promise<HostedConfigs> {
  const clowderDocument = isClowder(env)
    ? (await import('../../../platform/reference/clowder.ts')).clowderDocument
    : undefined;
  const warnings: string[] = [];
  let folder: string | undefined;
  const caFile = (authority: string) => {
    folder ??= mkdtempSync(join(tmpdir(), 'ccx-data-pipeline-'));
    const path = join(folder, 'kafka-ca.pem');
    writeFileSync(path, authority, { mode: 0o600 });
    return path;
  };
  return {
    warnings,
    read(path) {
      const text = textOf(path);
      if (text === undefined || !isHostedConfig(path, text))
        return readConfigFile(path, text === undefined ? {} : { text });
      const clowder = clowderDocument === undefined ? undefined : readClowderKafka(clowderDocument, env, caFile);
      const hosted = readHostedConfig(path, text, { env, clowder });
      warnings.push(...hosted.warnings.map((warning) => `${path}: ${warning}`));
      return hosted.file;
    },
    cleanUp() {
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}

function isClowder(env: Environment): boolean {
  return clowderWords.includes(env['CLOWDER_ENABLED']);
}

/** Undefined for what cannot be read: whoever reads it next says why. Read once, since it may be a pipe. */
function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

type ClowderDocument = typeof import('../../../platform/reference/clowder.ts')['clowderDocument'];

/** Of several brokers the first one counts, as in the hosted program. */
function readClowderKafka(
  schema: ClowderDocument,
  env: Environment,
  caFile: (authority: string) => string,
): ClowderKafka {
  const path = env['ACG_CONFIG'] ?? '';
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    // Not the parser's words: they quote the file, and it holds passwords.
    throw refused(path, cause instanceof SyntaxError ? 'it is not JSON' : errorText(cause));
  }
  const parsed = schema.pick({ kafka: true }).safeParse(document);
  if (!parsed.success)
    throw refused(path, `${parsed.error.issues[0]?.path.join('.')}: ${parsed.error.issues[0]?.message}`);
  const { kafka } = parsed.data;
  const [first] = kafka?.brokers ?? [];
  if (kafka == null || first === undefined) throw refused(path, 'it names no Kafka broker');
  const { hostname, port, cacert, sasl, securityProtocol } = first;
  const options = {
    'bootstrap.servers': port == null ? hostname : `${hostname}:${port}`,
    'ssl.ca.location': cacert == null ? undefined : caFile(cacert),
    'sasl.mechanisms': sasl?.saslMechanism,
    'sasl.username': sasl?.username,
    'sasl.password': sasl?.password,
    // Beside the password in older documents.
    'security.protocol': securityProtocol ?? sasl?.securityProtocol,
  };
  const given = Object.entries(options).filter((entry): entry is [string, string] => entry[1] != null);
  return {
    broker: Object.fromEntries(given),
    topicOf: (requested) => kafka.topics.find(({ requestedName }) => requestedName === requested)?.name ?? requested,
  };
}

function refused(path: string, reason: string): CcxError {
  return new CcxError(`Clowder's configuration cannot be used: ${path}: ${reason}`, {
    code: 'CONFIG_CLOWDER',
    category: 'configuration',
    hint: 'check ACG_CONFIG, or unset CLOWDER_ENABLED',
  });
}
