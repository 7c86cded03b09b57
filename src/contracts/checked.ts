/** A value held against the schema of its contract. */
import type { z } from 'zod';
import { CcxError, type CcxErrorOptions } from '../encoding/ccx-error.ts';

/** An error names so many members at fault; the rest is like them. */
const faultsNamedMax = 5;

/**
 * The value with its members in the order of the schema. Throws an error of these options, whose text names the members at fault (never
 * their values) behind `complaint`.
 */
export function checked<T>(schema: z.ZodType<T>, value: unknown, complaint: string, options: CcxErrorOptions): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const faults = result.error.issues
    .slice(0, faultsNamedMax)
    .map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`));
  throw new CcxError(`${complaint}: ${faults.join('; ')}`, options);
}

/** Body text → value. Throws an error of these options for text that is not JSON. */
export function parsedJson(text: string, complaint: string, options: CcxErrorOptions): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CcxError(complaint, { ...options, cause });
  }
}
