/**
 * Rule content in the form that the content service sends and the reference's readers expect: gob, with Go's field names. Encoded by our
 * content service, decoded by the notification service. Source: data-pipeline.md 8.5, notification-service.md 6.2.
 */

import { decodeGob } from '../encoding/gob/decode-gob.ts';
import { encodeGob } from '../encoding/gob/encode-gob.ts';
import { type GobStruct, type GobType, type GobValue, gobInvalid } from '../encoding/gob/gob-value.ts';
import type { ErrorKeyContent, ErrorKeyMetadata, RuleContent, RuleContentDirectory } from './rule-content.ts';

const int: GobType = { kind: 'int' };
const bool: GobType = { kind: 'bool' };
const string: GobType = { kind: 'string' };
const struct = (name: string, fields: Readonly<Record<string, GobType>>): GobType => ({
  kind: 'struct',
  name,
  fields: Object.entries(fields).map(([field, type]) => ({ name: field, type })),
});
const mapOf = (value: GobType): GobType => ({ kind: 'map', key: string, value });

const texts = {
  Generic: string,
  Summary: string,
  Resolution: string,
  MoreInfo: string,
  Reason: string,
  HasReason: bool,
};
const numbersByName = mapOf(int);

const directoryType = struct('RuleContentDirectory', {
  Config: struct('GlobalRuleConfig', { Impact: numbersByName, ResolutionRisk: numbersByName }),
  Rules: mapOf(
    struct('RuleContent', {
      Plugin: struct('RulePluginInfo', { Name: string, NodeID: string, ProductCode: string, PythonModule: string }),
      ErrorKeys: mapOf(
        struct('RuleErrorKeyContent', {
          Metadata: struct('ErrorKeyMetadata', {
            Description: string,
            Impact: struct('Impact', { Name: string, Impact: int }),
            Likelihood: int,
            PublishDate: string,
            ResolutionRisk: int,
            Status: string,
            Tags: { kind: 'slice', element: string },
          }),
          TotalRisk: int,
          ...texts,
        }),
      ),
      ...texts,
    }),
  ),
});

export function encodeRuleContent(directory: RuleContentDirectory): Buffer {
  return encodeGob(directoryType, {
    Config: {
      Impact: new Map(Object.entries(directory.config.impact)),
      ResolutionRisk: new Map(Object.entries(directory.config.resolution_risk)),
    },
    Rules: mapEntries(directory.rules, (rule) => ({
      Plugin: {
        Name: rule.plugin.name,
        NodeID: rule.plugin.node_id,
        ProductCode: rule.plugin.product_code,
        PythonModule: rule.plugin.python_module,
      },
      ErrorKeys: mapEntries(rule.error_keys, (content) => ({
        Metadata: {
          Description: content.metadata.description,
          Impact: { Name: content.metadata.impact.name, Impact: content.metadata.impact.impact },
          Likelihood: content.metadata.likelihood,
          PublishDate: content.metadata.publish_date,
          ResolutionRisk: content.metadata.resolution_risk,
          Status: content.metadata.status,
          Tags: content.metadata.tags,
        },
        TotalRisk: content.total_risk,
        ...encodeTexts(content),
      })),
      ...encodeTexts(rule),
    })),
  });
}

/** Fields are matched by name, unknown ones ignored, missing ones zero. Rejects with `GOB_INVALID` what is not of that shape. */
export function decodeRuleContent(bytes: Buffer): RuleContentDirectory {
  const [value] = decodeGob(bytes);
  if (value === undefined) throw gobInvalid('it holds no value');
  const directory = asStruct(value);
  const config = structField(directory, 'Config');
  return {
    config: {
      impact: mapField(config, 'Impact', asNumber),
      resolution_risk: mapField(config, 'ResolutionRisk', asNumber),
    },
    rules: mapField(directory, 'Rules', decodeRule),
  };
}

function decodeRule(value: GobValue): RuleContent {
  const rule = asStruct(value);
  const plugin = structField(rule, 'Plugin');
  return {
    plugin: {
      name: textField(plugin, 'Name'),
      node_id: textField(plugin, 'NodeID'),
      product_code: textField(plugin, 'ProductCode'),
      python_module: textField(plugin, 'PythonModule'),
    },
    error_keys: mapField(rule, 'ErrorKeys', decodeErrorKey),
    ...decodeTexts(rule),
  };
}

function decodeErrorKey(value: GobValue): ErrorKeyContent {
  const content = asStruct(value);
  return {
    metadata: decodeMetadata(structField(content, 'Metadata')),
    total_risk: numberField(content, 'TotalRisk'),
    ...decodeTexts(content),
  };
}

function decodeMetadata(metadata: GobStruct): ErrorKeyMetadata {
  const impact = structField(metadata, 'Impact');
  const tags = metadata['Tags'] ?? [];
  if (!Array.isArray(tags)) throw gobInvalid('Tags is no list');
  return {
    description: textField(metadata, 'Description'),
    impact: { name: textField(impact, 'Name'), impact: numberField(impact, 'Impact') },
    likelihood: numberField(metadata, 'Likelihood'),
    publish_date: textField(metadata, 'PublishDate'),
    resolution_risk: numberField(metadata, 'ResolutionRisk'),
    status: textField(metadata, 'Status'),
    tags: tags.map(asText),
  };
}

function encodeTexts(texts: Omit<RuleContent, 'plugin' | 'error_keys'>): GobStruct {
  return {
    Generic: texts.generic,
    Summary: texts.summary,
    Resolution: texts.resolution,
    MoreInfo: texts.more_info,
    Reason: texts.reason,
    HasReason: texts.HasReason,
  };
}

function decodeTexts(struct: GobStruct): Omit<RuleContent, 'plugin' | 'error_keys'> {
  const hasReason = struct['HasReason'] ?? false;
  if (typeof hasReason !== 'boolean') throw gobInvalid('HasReason is no boolean');
  return {
    generic: textField(struct, 'Generic'),
    summary: textField(struct, 'Summary'),
    resolution: textField(struct, 'Resolution'),
    more_info: textField(struct, 'MoreInfo'),
    reason: textField(struct, 'Reason'),
    HasReason: hasReason,
  };
}

function mapEntries<T>(record: Readonly<Record<string, T>>, encode: (value: T) => GobValue): Map<string, GobValue> {
  return new Map(Object.entries(record).map(([key, value]) => [key, encode(value)]));
}

/** Built from entries, so that a key such as `__proto__` is a member like any other. */
function mapField<T>(struct: GobStruct, name: string, decode: (value: GobValue) => T): Record<string, T> {
  const value = struct[name];
  if (value === undefined) return {};
  if (!(value instanceof Map)) throw gobInvalid(`${name} is no map`);
  return Object.fromEntries([...value].map(([key, element]) => [asText(key), decode(element)]));
}

function structField(struct: GobStruct, name: string): GobStruct {
  const value = struct[name];
  return value === undefined ? {} : asStruct(value);
}

function textField(struct: GobStruct, name: string): string {
  return asText(struct[name] ?? '');
}

function numberField(struct: GobStruct, name: string): number {
  return asNumber(struct[name] ?? 0);
}

function asStruct(value: GobValue): GobStruct {
  if (typeof value !== 'object' || Array.isArray(value) || value instanceof Map || Buffer.isBuffer(value)) {
    throw gobInvalid('something else where a struct must be');
  }
  return value as GobStruct;
}

function asText(value: GobValue): string {
  if (typeof value !== 'string') throw gobInvalid('something else where a text must be');
  return value;
}

function asNumber(value: GobValue): number {
  if (typeof value !== 'number') throw gobInvalid('something else where a number must be');
  return value;
}
