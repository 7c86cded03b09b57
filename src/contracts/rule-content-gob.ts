/**
 * Rule content in the form that the content service sends and the reference's readers expect: gob, with Go's field names. Encoded by our
 * content service, decoded by the notification service. Source: data-pipeline.md 8.5, notification-service.md 6.2.
 */

import { decodeGob } from '../encoding/gob/decode-gob.ts';
import { encodeGob } from '../encoding/gob/encode-gob.ts';
import { type GobStruct, type GobType, type GobValue, gobInvalid } from '../encoding/gob/gob-value.ts';
import type { ErrorKeyContent, ErrorKeyMetadata, RuleContent, RuleContentDirectory } from './rule-content.ts';

/** How a value lies in a stream. A field that the stream does not have is decoded from undefined, as zero. */
interface Codec<T> {
  readonly type: GobType;
  encode(value: T): GobValue;
  /** Throws `GOB_INVALID` for a value of another type. */
  decode(value: GobValue | undefined): T;
}

const text = scalar('string', '');
const number = scalar('int', 0);
const flag = scalar('bool', false);
const numbersByName = mapOf(number);

const texts = {
  generic: ['Generic', text],
  summary: ['Summary', text],
  resolution: ['Resolution', text],
  more_info: ['MoreInfo', text],
  reason: ['Reason', text],
  HasReason: ['HasReason', flag],
} as const;

const directoryCodec = structOf<RuleContentDirectory>('RuleContentDirectory', {
  config: [
    'Config',
    structOf<RuleContentDirectory['config']>('GlobalRuleConfig', {
      impact: ['Impact', numbersByName],
      resolution_risk: ['ResolutionRisk', numbersByName],
    }),
  ],
  rules: [
    'Rules',
    mapOf(
      structOf<RuleContent>('RuleContent', {
        plugin: [
          'Plugin',
          structOf<RuleContent['plugin']>('RulePluginInfo', {
            name: ['Name', text],
            node_id: ['NodeID', text],
            product_code: ['ProductCode', text],
            python_module: ['PythonModule', text],
          }),
        ],
        error_keys: [
          'ErrorKeys',
          mapOf(
            structOf<ErrorKeyContent>('RuleErrorKeyContent', {
              metadata: [
                'Metadata',
                structOf<ErrorKeyMetadata>('ErrorKeyMetadata', {
                  description: ['Description', text],
                  impact: [
                    'Impact',
                    structOf<ErrorKeyMetadata['impact']>('Impact', {
                      name: ['Name', text],
                      impact: ['Impact', number],
                    }),
                  ],
                  likelihood: ['Likelihood', number],
                  publish_date: ['PublishDate', text],
                  resolution_risk: ['ResolutionRisk', number],
                  status: ['Status', text],
                  tags: ['Tags', listOf(text)],
                }),
              ],
              total_risk: ['TotalRisk', number],
              ...texts,
            }),
          ),
        ],
        ...texts,
      }),
    ),
  ],
});

export function encodeRuleContent(directory: RuleContentDirectory): Buffer {
  return encodeGob(directoryCodec.type, directoryCodec.encode(directory));
}

/** Fields are matched by name, unknown ones ignored, missing ones zero. Rejects with `GOB_INVALID` what is not of that shape. */
export function decodeRuleContent(bytes: Buffer): RuleContentDirectory {
  const [value] = decodeGob(bytes);
  if (value === undefined) throw gobInvalid('it holds no value');
  return directoryCodec.decode(value);
}

function scalar<T extends string | number | boolean>(kind: 'string' | 'int' | 'bool', zero: T): Codec<Widened<T>> {
  return {
    type: { kind },
    encode: (value) => value,
    decode(value = zero) {
      if (typeof value !== typeof zero) throw gobInvalid(`something else where a ${kind} must be`);
      return value as Widened<T>;
    },
  };
}

type Widened<T> = T extends string ? string : T extends number ? number : boolean;

function listOf<T>(element: Codec<T>): Codec<readonly T[]> {
  return {
    type: { kind: 'slice', element: element.type },
    encode: (list) => list.map(element.encode),
    decode(value = []) {
      if (!Array.isArray(value)) throw gobInvalid('something else where a list must be');
      return value.map(element.decode);
    },
  };
}

/** Decoded from entries, so that a key such as `__proto__` is a member like any other. */
function mapOf<T>(element: Codec<T>): Codec<Readonly<Record<string, T>>> {
  return {
    type: { kind: 'map', key: text.type, value: element.type },
    encode: (record) => new Map(Object.entries(record).map(([key, value]) => [key, element.encode(value)])),
    decode(value = new Map()) {
      if (!(value instanceof Map)) throw gobInvalid('something else where a map must be');
      return Object.fromEntries([...value].map(([key, member]) => [text.decode(key), element.decode(member)]));
    },
  };
}

/** `members`: of each member its field and how that is encoded, in the order of the fields. */
function structOf<T extends object>(
  name: string,
  members: { readonly [Member in keyof T]: readonly [field: string, codec: Codec<T[Member]>] },
): Codec<T> {
  const fields = Object.entries<readonly [string, Codec<unknown>]>(members as never);
  return {
    type: { kind: 'struct', name, fields: fields.map(([, [field, { type }]]) => ({ name: field, type })) },
    encode: (value) =>
      Object.fromEntries(fields.map(([member, [field, codec]]) => [field, codec.encode(value[member as keyof T])])),
    decode(value = {}) {
      if (typeof value !== 'object' || Array.isArray(value) || value instanceof Map || Buffer.isBuffer(value)) {
        throw gobInvalid('something else where a struct must be');
      }
      const found = value as GobStruct;
      return Object.fromEntries(fields.map(([member, [field, codec]]) => [member, codec.decode(found[field])])) as T;
    },
  };
}
