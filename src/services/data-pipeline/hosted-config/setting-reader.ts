/**
 * What the parts of a hosted configuration are read with: each value is asked for by the kind that it has to be, and what is wrong is
 * gathered with its name and line, so that whoever wrote the file learns of all of it at once. Used by `read-hosted-config.ts`.
 */
import type { Setting } from './settings-tree.ts';

export class SettingReader {
  readonly faults: string[] = [];
  readonly warnings: string[] = [];
  /** By our option's key. */
  readonly values = new Map<string, string | readonly string[]>();
  readonly names = new Map<string, string>();

  refuse(setting: Setting, reason: string): void {
    this.faults.push(`${placeOf(setting)}: ${reason}`);
  }

  set(setting: Setting, key: string, value: string | readonly string[]): void {
    this.values.set(key, value);
    this.names.set(key, placeOf(setting));
  }

  take(setting: Setting, key: string): void {
    const text = this.text(setting);
    if (text !== undefined) this.set(setting, key, text);
  }

  /** Undefined, and a fault, where it is no text, or a variable in it has no value. */
  text(setting: Setting): string | undefined {
    if (setting.unset.length > 0) this.refuse(setting, `${setting.unset.join(', ')} is not set and has no default`);
    else if (typeof setting.value === 'string') return setting.value;
    else if (setting.value !== undefined) this.refuse(setting, 'must be a single value');
    return undefined;
  }

  wholeNumber(setting: Setting): number | undefined {
    const text = this.text(setting);
    if (text === undefined) return undefined;
    if (/^-?\d+$/.test(text)) return Number(text);
    this.refuse(setting, 'must be a whole number');
    return undefined;
  }

  flag(setting: Setting): boolean | undefined {
    const text = this.text(setting)?.toLowerCase();
    if (text === 'true' || text === 'false') return text === 'true';
    if (text !== undefined) this.refuse(setting, 'must be true or false');
    return undefined;
  }

  /** A list, or a text with commas between, or JSON's list in a text, as deployments have it. */
  brokers(setting: Setting): readonly string[] {
    if (Array.isArray(setting.value)) return this.list(setting).map((one) => this.text(one) ?? '');
    const text = (this.text(setting) ?? '').trim();
    return text
      .replace(/^\[|\]$/g, '')
      .split(',')
      .map((one) => one.trim().replace(/^["']|["']$/g, ''));
  }

  list(setting: Setting | undefined): readonly Setting[] {
    if (setting?.value === undefined) return [];
    if (Array.isArray(setting.value)) return setting.value as readonly Setting[];
    this.refuse(setting, 'must be a list');
    return [];
  }

  map(setting: Setting | undefined): ReadonlyMap<string, Setting> {
    if (setting?.value === undefined) return new Map();
    if (setting.value instanceof Map) return setting.value;
    this.refuse(setting, 'must be a table');
    return new Map();
  }

  /** The named members; any other is a fault. */
  members<const Name extends string>(setting: Setting, names: readonly Name[]): { readonly [Key in Name]?: Setting } {
    const found: Record<string, Setting> = {};
    for (const [name, member] of this.map(setting)) {
      if ((names as readonly string[]).includes(name)) found[name] = member;
      else this.refuse(member, 'there is no such setting here');
    }
    return found as { readonly [Key in Name]?: Setting };
  }

  kwargs<const Name extends string>(kwargs: Setting | undefined, names: readonly Name[]) {
    return kwargs === undefined ? ({} as { readonly [Key in Name]?: Setting }) : this.members(kwargs, names);
  }

  class(setting: Setting | undefined, expected: string): void {
    if (setting?.value === undefined) return;
    const name = this.text(setting);
    if (name !== undefined && name !== expected) this.refuse(setting, `${name} is not here; it is ${expected}`);
  }

  /** A part of the service: its class by name, its keyword arguments. */
  component(setting: Setting, expected: string): Setting | undefined {
    const { name, args, kwargs } = this.members(setting, ['name', 'args', 'kwargs'] as const);
    if (name === undefined) this.refuse(setting, `name is missing; it is ${expected}`);
    this.class(name, expected);
    for (const one of this.list(args)) this.refuse(one, 'arguments are given by name, in kwargs');
    return kwargs;
  }
}

export function placeOf({ name, line }: Setting): string {
  return line === 0 ? name : `${name} (line ${line})`;
}
