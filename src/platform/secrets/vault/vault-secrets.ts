/**
 * Reads fields of KV secrets from Vault or OpenBao, version 2 or 1. One read serves all fields of a path; a value is used for some
 * minutes, then read again; while Vault is away or refuses, the last good value stays in use.
 */
import { z } from 'zod';
import { CcxError, configInvalid, errorFields } from '../../../encoding/ccx-error.ts';
import type { Clock } from '../../clock/clock.ts';
import type { Telemetry } from '../../telemetry/telemetry.ts';
import type { Secret } from '../secret-source.ts';
import { secretBytesMax, vaultRefreshMs } from '../secret-source.ts';
import type { VaultClient } from './vault-client.ts';
import type { VaultSession } from './vault-session.ts';
import type { VaultSettings } from './vault-settings.ts';

/** How long the last good value is used without asking after Vault failed, so that an outage does not slow every caller down. */
export const vaultOutageMs = 30_000;

interface VaultReference {
  /** Inside the mount. */
  readonly path: string;
  readonly field: string;
}

/** `vault:<path>#<field>`; undefined for any other text. Throws `CONFIG_INVALID` when it starts so and does not go on so. */
export function parseVaultReference(text: string, setting: string): VaultReference | undefined {
  if (!text.startsWith('vault:')) return undefined;
  const [, path = '', field = ''] = /^vault:\/*([^#\s]+?)\/*#([^#]+)$/.exec(text) ?? [];
  if (path.split('/').every((part) => !['', '.', '..'].includes(part))) return { path, field };
  throw configInvalid(
    `${setting} starts with vault: but has not the form vault:<path>#<field>`,
    `change ${setting}, e.g. vault:notifications/service-log#client_secret`,
  );
}

interface PathReader {
  readonly settings: VaultSettings;
  readonly client: VaultClient;
  readonly session: VaultSession;
}

interface StoredPath {
  fields: Readonly<Record<string, unknown>> | undefined;
  /** Until then, on the monotonic clock, what is there is used without asking. */
  usedUntilMs: number;
  reading: Promise<Readonly<Record<string, unknown>>> | undefined;
}

/** Answers `Secret`s that share one cache and one session. */
export function createVaultSecrets(reader: PathReader, clock: Clock, log: Telemetry['log']) {
  const stored = new Map<string, StoredPath>();

  const readOnce = (path: string, entry: StoredPath) => {
    entry.reading ??= readPath(reader, path)
      .then((fields) => {
        entry.fields = fields;
        entry.usedUntilMs = clock.monotonicMs() + vaultRefreshMs;
        return fields;
      })
      .catch((error: unknown) => {
        entry.usedUntilMs = clock.monotonicMs() + vaultOutageMs;
        throw error;
      })
      .finally(() => {
        entry.reading = undefined;
      });
    return entry.reading;
  };

  return (reference: VaultReference, setting: string): Secret => {
    const entry = stored.get(reference.path) ?? { fields: undefined, usedUntilMs: 0, reading: undefined };
    stored.set(reference.path, entry);
    let lastGood: string | undefined;

    const readValue = async (fresh: boolean) => {
      const known = entry.fields !== undefined && clock.monotonicMs() < entry.usedUntilMs;
      try {
        const fields = known && !fresh ? entry.fields : await readOnce(reference.path, entry);
        lastGood = fieldOf(fields ?? {}, reference, setting);
      } catch (error) {
        if (lastGood === undefined) throw namedAfter(setting, error);
        log.warn({ setting, ...errorFields(error) }, 'the secret is not read again; its last good value stays in use');
      }
      return lastGood;
    };
    return { setting, value: () => readValue(false), reload: () => readValue(true) };
  };
}

const version2Answer = z.object({
  data: z.object({
    data: z.record(z.string(), z.unknown()).nullable(),
    metadata: z.object({ deletion_time: z.string().default(''), destroyed: z.boolean().default(false) }).optional(),
  }),
});
const version1Answer = z.object({ data: z.record(z.string(), z.unknown()) });

async function readPath(reader: PathReader, path: string): Promise<Readonly<Record<string, unknown>>> {
  const { mount, kvVersion } = reader.settings;
  // A `?` would begin a query.
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  const where = kvVersion === 2 ? `${mount}/data/${encoded}` : `${mount}/${encoded}`;
  const { status, document } = await getPermitted(reader, where);
  if (kvVersion === 1) {
    const parsed = version1Answer.safeParse(document);
    if (status === 200 && parsed.success) return parsed.data.data;
    throw notFound(where, 'check the path, vault.mount, vault.kv_version (1) and vault.namespace');
  }
  const parsed = version2Answer.safeParse(document);
  if (!parsed.success) throw notFound(where, 'check the path, vault.mount, vault.kv_version (2) and vault.namespace');
  const { data, metadata } = parsed.data.data;
  if (data !== null && status === 200) return data;
  const fate = metadata?.destroyed === true ? 'destroyed' : 'deleted';
  throw new CcxError(`the newest version of the Vault secret ${where} is ${fate}`, {
    code: 'VAULT_SECRET_DELETED',
    category: 'configuration',
    hint: `undelete it or write a new version: vault kv put -mount=${mount} ${path} …`,
  });
}

/** 403 means a bad token or a missing policy; one login shows which. */
async function getPermitted({ client, session }: PathReader, path: string) {
  const token = await session.token();
  try {
    return await client.call({ method: 'GET', path, token });
  } catch (error) {
    if (!(error instanceof CcxError) || error.code !== 'VAULT_FORBIDDEN') throw error;
    session.discard(token);
    const fresh = await session.token();
    if (fresh === token) throw error;
    return client.call({ method: 'GET', path, token: fresh });
  }
}

function fieldOf(fields: Readonly<Record<string, unknown>>, reference: VaultReference, setting: string): string {
  const value = Object.hasOwn(fields, reference.field) ? fields[reference.field] : undefined;
  // A larger number, or a fraction, has lost digits on its way.
  const text = Number.isSafeInteger(value) ? String(value) : value;
  if (typeof text === 'string' && text !== '' && Buffer.byteLength(text) <= secretBytesMax) return text;
  throw new CcxError(`the Vault secret ${reference.path} has no usable field ${reference.field}`, {
    code: 'VAULT_FIELD',
    category: 'configuration',
    hint: `change ${setting} or write the field as a non-empty text`,
  });
}

function notFound(path: string, hint: string): CcxError {
  return new CcxError(`Vault has no secret at ${path}`, {
    code: 'VAULT_SECRET_MISSING',
    category: 'configuration',
    hint,
  });
}

function namedAfter(setting: string, error: unknown): unknown {
  if (!(error instanceof CcxError)) return error;
  const { code, category, retryable, hint } = error;
  return new CcxError(`${setting} cannot be read`, {
    code,
    category,
    retryable,
    cause: error,
    hint,
  });
}
