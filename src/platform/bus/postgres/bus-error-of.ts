/**
 * What the database says, in the words of the bus: a lost or refused connection is the bus being away, and the error names the setting.
 * Everything else keeps its own code and retryability.
 */
import { CcxError } from '../../../encoding/ccx-error.ts';

const codes: Readonly<Record<string, string>> = {
  DATABASE_UNREACHABLE: 'BUS_UNREACHABLE',
  DATABASE_LOST: 'BUS_UNREACHABLE',
  DATABASE_SHUTDOWN: 'BUS_UNREACHABLE',
  DATABASE_READ_ONLY: 'BUS_UNREACHABLE',
  DATABASE_BUSY: 'BUS_UNREACHABLE',
  /** Whether the batch was stored is unknown; sending it again is what at-least-once means. */
  DATABASE_COMMIT_UNKNOWN: 'BUS_UNREACHABLE',
  DATABASE_AUTH: 'BUS_AUTH',
  DATABASE_TLS: 'BUS_TLS',
};

export function busErrorOf(error: unknown): unknown {
  const code = error instanceof CcxError ? codes[error.code] : undefined;
  if (!(error instanceof CcxError) || code === undefined) return error;
  return new CcxError('the message bus in the database cannot be used', {
    code,
    category: error.category,
    retryable: error.retryable,
    cause: error,
    hint: error.hint ?? 'check the database that bus.kind = postgres uses',
  });
}

/** Runs work and answers its database errors as bus errors. */
export async function withBusErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw busErrorOf(error);
  }
}
