/**
 * A gob stream → its values, with the types that the stream itself defines. Called for the content service's answer, which is not
 * trusted: whatever the bytes are, the result is values or a `CcxError` with code `GOB_INVALID`, in time and memory bounded by the
 * number of bytes. Left out: interface values, which our content does not have.
 */
import { GOB_TYPE_ID, type GobStruct, type GobValue, gobInvalid } from './gob-value.ts';

/** Values inside values; rule content nests five deep, and a recursive type could nest as deep as the stream is long. */
export const gobDepthMax = 64;
/** Types that one stream may define; rule content defines nine. */
export const gobTypesMax = 1_000;
/** Fields of one struct type. */
export const gobFieldsMax = 1_000;
/**
 * Values of one stream, counting every element. Five hundred rules make some thirty thousand; a byte of the stream may become a map entry
 * of a hundred bytes, so the size of the stream alone does not bound the memory.
 */
export const gobValuesMax = 1_000_000;

/** Every value of the stream, in order. */
export function decodeGob(bytes: Buffer): readonly GobValue[] {
  const stream = new GobReader(bytes);
  const state: Decoding = { types: new Map(), valuesLeft: gobValuesMax };
  const values: GobValue[] = [];
  while (!stream.atEnd()) {
    const message = new GobReader(stream.bytes());
    const id = message.int();
    if (id < 0) {
      defineType(state.types, -id, message);
    } else {
      const isStruct = state.types.get(id)?.kind === 'struct';
      if (!isStruct && message.uint() !== 0) throw gobInvalid('a value that is no struct must follow a zero');
      values.push(readValue(message, state, id, 0));
    }
    if (!message.atEnd()) throw gobInvalid('a message is longer than its content');
  }
  return values;
}

type WireType =
  | { readonly kind: 'struct'; readonly fields: readonly { readonly name: string; readonly id: number }[] }
  | { readonly kind: 'slice'; readonly element: number }
  | { readonly kind: 'array'; readonly element: number; readonly length: number }
  | { readonly kind: 'map'; readonly key: number; readonly value: number }
  /** A type that encodes itself; what it wrote is opaque. */
  | { readonly kind: 'opaque' };

interface Decoding {
  readonly types: Map<number, WireType>;
  valuesLeft: number;
}

function readValue(input: GobReader, state: Decoding, id: number, depth: number): GobValue {
  if (depth > gobDepthMax) throw gobInvalid(`values nest deeper than ${gobDepthMax}`);
  if (state.valuesLeft === 0) throw gobInvalid(`more than ${gobValuesMax} values`);
  state.valuesLeft -= 1;
  switch (id) {
    case GOB_TYPE_ID.bool:
      return input.uint() !== 0;
    case GOB_TYPE_ID.int:
      return input.wholeInt();
    case GOB_TYPE_ID.uint:
      return input.wholeUint();
    case GOB_TYPE_ID.float:
      return input.float();
    case GOB_TYPE_ID.bytes:
      return Buffer.from(input.bytes());
    case GOB_TYPE_ID.string:
      return input.bytes().toString('utf8');
    case GOB_TYPE_ID.complex:
      return [input.float(), input.float()];
  }
  const type = state.types.get(id);
  switch (type?.kind) {
    case undefined:
      throw gobInvalid(`type ${id} is not defined or not supported`);
    case 'opaque':
      return Buffer.from(input.bytes());
    case 'struct':
      return readStruct(input, state, type, depth);
    case 'slice':
      return readElements(input, input.count(), () => readValue(input, state, type.element, depth + 1));
    case 'array': {
      const count = input.count();
      if (count !== type.length) throw gobInvalid('an array does not have the length of its type');
      return readElements(input, count, () => readValue(input, state, type.element, depth + 1));
    }
    case 'map': {
      const entries = readElements(input, input.count(), (): [GobValue, GobValue] => [
        readValue(input, state, type.key, depth + 1),
        readValue(input, state, type.value, depth + 1),
      ]);
      return new Map(entries);
    }
  }
}

/** Every element takes at least one byte, so a count that passed `count()` cannot be used to ask for more memory than was sent. */
function readElements<T>(input: GobReader, count: number, read: () => T): T[] {
  const elements: T[] = [];
  for (let index = 0; index < count; index += 1) {
    if (input.atEnd()) throw gobInvalid('fewer elements than counted');
    elements.push(read());
  }
  return elements;
}

function readStruct(
  input: GobReader,
  state: Decoding,
  type: Extract<WireType, { kind: 'struct' }>,
  depth: number,
): GobStruct {
  const value: Record<string, GobValue> = Object.create(null);
  eachField(input, type.fields.length, (number) => {
    const field = type.fields[number]!;
    value[field.name] = readValue(input, state, field.id, depth + 1);
  });
  return value;
}

/** Field numbers are sent as the distance from the one before; zero ends the struct. */
function eachField(input: GobReader, fieldCount: number, read: (number: number) => void): void {
  let number = -1;
  for (;;) {
    const delta = input.uint();
    if (delta === 0) return;
    number += delta;
    if (number >= fieldCount) throw gobInvalid(`a struct has no field ${number}`);
    read(number);
  }
}

function defineType(types: Map<number, WireType>, id: number, input: GobReader): void {
  if (id < GOB_TYPE_ID.firstUser - 1) throw gobInvalid(`type ${id} is built in and cannot be defined`);
  if (types.has(id)) throw gobInvalid(`type ${id} is defined twice`);
  if (types.size >= gobTypesMax) throw gobInvalid(`more than ${gobTypesMax} types`);
  let type: WireType | undefined;
  eachField(input, wireTypeReaders.length, (number) => {
    type = wireTypeReaders[number]!(input);
  });
  if (type === undefined) throw gobInvalid(`type ${id} has no definition`);
  types.set(id, type);
}

/** One per field of the wire type, by number. The last three are types that encode themselves. */
const wireTypeReaders: readonly ((input: GobReader) => WireType)[] = [
  (input) => {
    const { second, third } = readDefinition(input);
    return { kind: 'array', element: second, length: third };
  },
  (input) => ({ kind: 'slice', element: readDefinition(input).second }),
  readStructDefinition,
  (input) => {
    const { second, third } = readDefinition(input);
    return { kind: 'map', key: second, value: third };
  },
  readOpaqueDefinition,
  readOpaqueDefinition,
  readOpaqueDefinition,
];

/** The common part, then up to two numbers. */
function readDefinition(input: GobReader): { second: number; third: number } {
  const numbers = { second: 0, third: 0 };
  eachField(input, 3, (number) => {
    if (number === 0) skipCommonType(input);
    else numbers[number === 1 ? 'second' : 'third'] = input.int();
  });
  return numbers;
}

function readOpaqueDefinition(input: GobReader): WireType {
  eachField(input, 1, () => skipCommonType(input));
  return { kind: 'opaque' };
}

function readStructDefinition(input: GobReader): WireType {
  const fields: { name: string; id: number }[] = [];
  eachField(input, 2, (number) => {
    if (number === 0) return skipCommonType(input);
    const count = input.count();
    if (count > gobFieldsMax) throw gobInvalid(`a struct has more than ${gobFieldsMax} fields`);
    for (let index = 0; index < count; index += 1) {
      const field = { name: '', id: 0 };
      eachField(input, 2, (part) => {
        if (part === 0) field.name = input.bytes().toString('utf8');
        else field.id = input.int();
      });
      fields.push(field);
    }
  });
  return { kind: 'struct', fields };
}

/** Name and id; neither matters to a reader. */
function skipCommonType(input: GobReader): void {
  eachField(input, 2, (number) => {
    if (number === 0) input.bytes();
    else input.int();
  });
}

/** The primitives of a gob stream: a cursor over bytes that never reads past them. Used by `decodeGob` only. */
export class GobReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** A number that the stream needs to be small: a length, a count, a field number. */
  uint(): number {
    const value = this.wholeUint();
    if (typeof value === 'bigint') throw gobInvalid('a length is out of range');
    return value;
  }

  int(): number {
    const value = this.wholeInt();
    if (typeof value === 'bigint') throw gobInvalid('a type number is out of range');
    return value;
  }

  /** How many elements follow; each takes at least one byte. */
  count(): number {
    const count = this.uint();
    if (count > this.#bytes.length - this.#at) throw gobInvalid('more elements than bytes');
    return count;
  }

  wholeUint(): number | bigint {
    const value = this.#uint64();
    return typeof value === 'bigint' && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
  }

  /** The lowest bit tells whether the rest is to be complemented. */
  wholeInt(): number | bigint {
    const raw = BigInt(this.#uint64());
    const value = (raw & 1n) === 1n ? ~(raw >> 1n) : raw >> 1n;
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  float(): number {
    const bits = Buffer.alloc(8);
    bits.writeBigUInt64BE(BigInt(this.#uint64()));
    return bits.readDoubleLE();
  }

  /** A length and that many bytes, as a view. */
  bytes(): Buffer {
    const length = this.uint();
    if (length > this.#bytes.length - this.#at) throw gobInvalid('it ends in the middle of a value');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** Below 128 one byte; otherwise 256 minus the number of bytes, then those, most significant first. */
  #uint64(): number | bigint {
    const first = this.#byte();
    if (first < 128) return first;
    const length = 256 - first;
    if (length > 8) throw gobInvalid('a number has more than 64 bits');
    if (length <= 6) {
      let value = 0;
      for (let index = 0; index < length; index += 1) value = value * 256 + this.#byte();
      return value;
    }
    let value = 0n;
    for (let index = 0; index < length; index += 1) value = (value << 8n) | BigInt(this.#byte());
    return value;
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw gobInvalid('it ends in the middle of a value');
    this.#at += 1;
    return byte;
  }
}
