/**
 * Types and values of Go's gob encoding as plain data. Used by the encoder, which is told a type, and the decoder, which reads types from
 * the stream. Source: data-pipeline.md 8.5, notification-service.md 6.3.
 */
import { type CcxError, inputError } from '../ccx-error.ts';

export type GobType =
  | { readonly kind: 'bool' | 'int' | 'uint' | 'float' | 'bytes' | 'string' }
  | { readonly kind: 'slice'; readonly element: GobType }
  | { readonly kind: 'map'; readonly key: GobType; readonly value: GobType }
  | GobStructType;

export interface GobStructType {
  readonly kind: 'struct';
  /** For people only: readers match fields by name and do not look at the names of types. */
  readonly name: string;
  readonly fields: readonly { readonly name: string; readonly type: GobType }[];
}

/** Whole numbers beyond the safe range are bigints. A struct holds only the fields that the stream holds, and has no prototype. */
export type GobValue =
  | boolean
  | number
  | bigint
  | string
  | Buffer
  | readonly GobValue[]
  | ReadonlyMap<GobValue, GobValue>
  | GobStruct;

export interface GobStruct {
  readonly [field: string]: GobValue;
}

/** Ids below 65 are Go's own; the wire types' fields are in the order that their numbers count. */
export const GOB_TYPE_ID = {
  bool: 1,
  int: 2,
  uint: 3,
  float: 4,
  bytes: 5,
  string: 6,
  complex: 7,
  interface: 8,
  firstUser: 65,
} as const;

export function gobInvalid(message: string): CcxError {
  return inputError('GOB_INVALID', `not a valid gob stream: ${message}`);
}
