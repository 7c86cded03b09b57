/**
 * The one error type that crosses module boundaries. Every expected failure carries a stable code that a person can look up,
 * whether trying again can help, and the error behind it. Anything else that is thrown is a bug.
 */

/** Few values on purpose: the category becomes a metric label. */
export type ErrorCategory = 'input' | 'configuration' | 'connection' | 'storage' | 'delivery' | 'limit' | 'internal';

export interface CcxErrorOptions {
  /** Stable, upper-case, never reused for another meaning, e.g. `ARCHIVE_NOT_GZIP`. */
  readonly code: string;
  readonly category: ErrorCategory;
  /** True where the same call may succeed later without anybody changing anything. */
  readonly retryable?: boolean | undefined;
  readonly cause?: unknown;
  /** What to change, for the person who reads the message at night: names the setting. */
  readonly hint?: string | undefined;
}

export class CcxError extends Error {
  readonly code: string;
  readonly category: ErrorCategory;
  readonly retryable: boolean;
  readonly hint: string | undefined;

  constructor(message: string, options: CcxErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CcxError';
    this.code = options.code;
    this.category = options.category;
    this.retryable = options.retryable ?? false;
    this.hint = options.hint;
  }
}

/** For what came from outside and cannot be used. */
export function inputError(code: string, message: string, cause?: unknown): CcxError {
  return new CcxError(message, { code, category: 'input', cause });
}

/** A setting that cannot be used as it is; `hint` says what to change. */
export function configInvalid(message: string, hint: string): CcxError {
  return new CcxError(message, { code: 'CONFIG_INVALID', category: 'configuration', hint });
}

/** The stable code of any thrown value; `UNKNOWN` for what is not ours, so that unknown never passes as fine. */
export function errorCode(error: unknown): string {
  return error instanceof CcxError ? error.code : 'UNKNOWN';
}

/** What a log line says of a failure. */
export function errorFields(error: unknown): { readonly code: string; readonly error: string } {
  return { code: errorCode(error), error: errorText(error) };
}

/** One line for a log or a dead-letter header: the message and its causes, without stacks. */
export function errorText(error: unknown): string {
  const parts: string[] = [];
  let current: unknown = error;
  for (let depth = 0; current !== undefined && current !== null && depth < 5; depth += 1) {
    const text = ownText(current);
    // A layer that only gave it a code says what its cause says.
    if (parts.at(-1) !== text) parts.push(text);
    current = current instanceof Error ? current.cause : undefined;
  }
  return parts.join(': ');
}

/** Without its causes; never empty. */
function ownText(error: unknown): string {
  // OpenSSL ends its messages with a line break.
  const text = (error instanceof Error ? error.message : String(error)).trim();
  if (text !== '' || !(error instanceof Error)) return text;
  // Node tries each address of a name, and gathers the failures under an empty text.
  if (error instanceof AggregateError && error.errors.length > 0)
    return [...new Set(error.errors.map(errorText))].join(', ');
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}

/** For the last arm of a switch over a closed union: the compiler proves that it is never reached. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
