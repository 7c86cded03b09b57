/**
 * The parts that the tables consist of: `shared`, which is schema `public` as other programs know it, and the sets of schema `ccx`. What
 * version each has and needs, and how it gets there. Called by `ccx db init|migrate|status`. Sets are found by listing, so that none can
 * be forgotten.
 */
import { readdir } from 'node:fs/promises';
import { CcxError, errorText } from '../../encoding/ccx-error.ts';
import { migrateCcx, readCcxMigrations } from '../../platform/database/ccx-migrations.ts';
import type { Database } from '../../platform/database/database.ts';
import { migrationsPath } from '../../platform/database/sql-file.ts';
import type { ByWhom } from '../../platform/records/audit.ts';
import {
  baseStep,
  ensureNotificationSchema,
  findNotificationVersion,
  migrate,
  NOTIFICATION_SCHEMA_VERSION,
  stepsBetween,
} from '../../platform/records/notification-schema.ts';
import { recordAuditWhereKept } from './database-tool.ts';

/** Name of the part that is schema `public`. */
export const SHARED_PART = 'shared';

/** `shared` first, because the roles' own tables follow its rows. */
export async function listParts(): Promise<string[]> {
  return [SHARED_PART, ...(await listSets())];
}

export async function listSets(): Promise<string[]> {
  const entries = await readdir(migrationsPath('ccx'), { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}

/**
 * `behind`: steps are missing; `absent`: all of them are. `newer`: a newer release has been here, as in a rolling update, and nothing is
 * to be done. `unusable`: what is there does not fit the files; a person has to look.
 */
export interface PartState {
  readonly part: string;
  readonly schema: 'public' | 'ccx';
  readonly state: 'current' | 'behind' | 'absent' | 'newer' | 'unusable';
  readonly version: number | null;
  readonly needed: number;
  /** Names of the steps that are missing, in the order in which they run. */
  readonly missing: readonly string[];
  readonly problem?: { readonly code: string; readonly message: string; readonly hint: string | undefined };
}

/** Changes nothing and takes no lock. Rejects where the database cannot be asked. */
export async function readPart(database: Database, part: string): Promise<PartState> {
  if (part !== SHARED_PART) return readSet(database, part);
  const version = await findNotificationVersion(database);
  const needed = NOTIFICATION_SCHEMA_VERSION;
  const steps = version === undefined ? [baseStep('up'), ...stepsBetween(0, needed)] : stepsBetween(version, needed);
  const missing = steps.filter(({ direction }) => direction === 'up').map(({ name }) => name);
  const state = version === undefined ? 'absent' : stateOf(version, needed);
  return { part, schema: 'public', state, version: version ?? null, needed, missing };
}

async function readSet(database: Database, set: string): Promise<PartState> {
  const which = { part: set, schema: 'ccx' } as const;
  try {
    const { version, needed, missing: files } = await readCcxMigrations(database, set);
    const missing = files.map(withoutEnding);
    if (version === 0) return { ...which, state: 'absent', version: null, needed, missing };
    return { ...which, state: missing.length > 0 ? 'behind' : stateOf(version, needed), version, needed, missing };
  } catch (error) {
    if (!(error instanceof CcxError) || !error.code.startsWith('CCX_MIGRATION')) throw error;
    const problem = { code: error.code, message: errorText(error), hint: error.hint };
    return { ...which, state: 'unusable', version: null, needed: 0, missing: [], problem };
  }
}

function withoutEnding(file: string): string {
  return file.replace(/\.sql$/, '');
}

function stateOf(version: number, needed: number): 'current' | 'behind' | 'newer' {
  if (version === needed) return 'current';
  return version < needed ? 'behind' : 'newer';
}

interface BroughtUp {
  readonly part: string;
  /** Before; null where there was nothing. */
  readonly from: number | null;
  readonly version: number;
  readonly applied: readonly string[];
  readonly warning?: string | undefined;
}

interface BringUpOptions {
  /** Absent tables of `shared` are made; otherwise the part has to be there. */
  readonly create: boolean;
  /** Called before each step with its name. */
  readonly onStep?: (name: string) => void;
}

/** The part at the version of this release; what is there already stays. Rejects with the codes of the two migration runners. */
export async function bringUp(database: Database, part: string, options: BringUpOptions): Promise<BroughtUp> {
  const { version: from } = await readPart(database, part);
  const applied: string[] = [];
  const onStep = (name: string) => {
    applied.push(name);
    options.onStep?.(name);
  };
  if (part !== SHARED_PART) {
    const { version, warning } = await migrateCcx(database, part, { onFile: (name) => onStep(withoutEnding(name)) });
    return { part, from, version, applied, warning };
  }
  if (from === null && !options.create) throw sharedAbsent();
  const { version, warning } = await ensureNotificationSchema(database, { onStep: ({ name }) => onStep(name) });
  return { part, from, version, applied, warning };
}

/**
 * The shared tables at a version of one's choice, in one transaction. Way down only with `down`, because the steps that are taken back
 * lose what they hold, and audited where there is an audit. Codes: `SCHEMA_DOWN`, and those of the migration.
 */
export async function moveShared(
  database: Database,
  to: string,
  options: {
    readonly down: boolean;
    readonly dryRun: boolean;
    readonly byWhom: ByWhom;
    readonly onStep: (name: string) => void;
  },
): Promise<{ readonly from: number; readonly version: number }> {
  const from = await findNotificationVersion(database);
  if (from === undefined) throw sharedAbsent();
  const target = to === 'latest' ? NOTIFICATION_SCHEMA_VERSION : Number(to);
  // It refuses these, before anything else.
  if (Math.max(from, target) > NOTIFICATION_SCHEMA_VERSION) await migrate(database, to);
  const steps = stepsBetween(from, target);
  if (target < from && !options.down) {
    throw new CcxError(
      `version ${target} is below ${from}: this takes back ${steps.map(({ name }) => name).join(', ')}, and what they hold is lost`,
      {
        code: 'SCHEMA_DOWN',
        category: 'configuration',
        hint: 'add --down if that is meant; --dry-run shows the steps',
      },
    );
  }
  if (!options.dryRun) {
    const entry = { ...options.byWhom, action: 'db migrate --down', subject: SHARED_PART };
    await migrate(database, to, {
      onStep: ({ name }) => options.onStep(name),
      async onMoved(tx) {
        if (target < from)
          await recordAuditWhereKept(tx, { ...entry, before: { version: from }, after: { version: target } });
      },
    });
    return { from, version: target };
  }
  for (const { name } of steps) options.onStep(name);
  return { from, version: target };
}

function sharedAbsent(): CcxError {
  return new CcxError('the shared tables are not there: no version in migration_info', {
    ...{ code: 'SCHEMA_VERSION', category: 'storage' },
    hint: 'ccx db init makes them; name another database with --database if they should be there',
  });
}
