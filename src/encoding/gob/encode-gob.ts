/** A value and its type → one gob stream that Go's decoder reads. Used for rule content only; the bytes are the same for the same input. */
import { GOB_TYPE_ID, type GobStruct, type GobStructType, type GobType, type GobValue } from './gob-value.ts';

/** Throws a TypeError when the value is not of the type: a bug of the caller. A field that is absent or zero is left out. */
export function encodeGob(type: GobType, value: GobValue): Buffer {
  const ids = new TypeIds();
  const id = ids.of(type);
  const payload = new GobWriter();
  payload.int(id);
  if (type.kind !== 'struct') payload.uint(0);
  writeValue(payload, type, value);
  const stream = new GobWriter();
  for (const definition of ids.definitions()) stream.message(definition);
  stream.message(payload);
  return stream.toBuffer();
}

/** Numbers types in the order they are met and remembers how each is defined. */
class TypeIds {
  readonly #ids = new Map<GobType, number>();
  readonly #definitions = new Map<number, GobWriter>();

  of(type: GobType): number {
    if (type.kind !== 'struct' && type.kind !== 'map' && type.kind !== 'slice') return GOB_TYPE_ID[type.kind];
    const known = this.#ids.get(type);
    if (known !== undefined) return known;
    const id = GOB_TYPE_ID.firstUser + this.#ids.size;
    this.#ids.set(type, id);
    // Reserved before the parts are visited, so that a type is defined before what it is made of, as Go does.
    const definition = new GobWriter();
    this.#definitions.set(id, definition);
    this.#define(definition, id, type);
    return id;
  }

  definitions(): Iterable<GobWriter> {
    return this.#definitions.values();
  }

  /** The wire type: field 1 is a slice type, 2 a struct type, 3 a map type; each begins with its common part. */
  #define(out: GobWriter, id: number, type: Extract<GobType, { kind: 'slice' | 'map' | 'struct' }>): void {
    out.int(-id);
    switch (type.kind) {
      case 'slice':
        out.uint(2);
        writeCommonType(out, '', id);
        out.uint(1);
        out.int(this.of(type.element));
        break;
      case 'map':
        out.uint(4);
        writeCommonType(out, '', id);
        out.uint(1);
        out.int(this.of(type.key));
        out.uint(1);
        out.int(this.of(type.value));
        break;
      case 'struct':
        out.uint(3);
        writeCommonType(out, type.name, id);
        if (type.fields.length > 0) {
          out.uint(1);
          out.uint(type.fields.length);
          for (const field of type.fields) {
            out.uint(1);
            out.string(field.name);
            out.uint(1);
            out.int(this.of(field.type));
            out.uint(0);
          }
        }
        break;
    }
    out.uint(0);
    out.uint(0);
  }
}

/** The first field of every definition: a struct of name and id. */
function writeCommonType(out: GobWriter, name: string, id: number): void {
  out.uint(1);
  if (name !== '') {
    out.uint(1);
    out.string(name);
    out.uint(1);
  } else {
    out.uint(2);
  }
  out.int(id);
  out.uint(0);
}

function writeValue(out: GobWriter, type: GobType, value: GobValue): void {
  if (type.kind === 'bool' && typeof value === 'boolean') {
    out.uint(value ? 1 : 0);
  } else if (type.kind === 'int' && isWhole(value)) {
    out.int(value);
  } else if (type.kind === 'uint' && isWhole(value) && value >= 0) {
    out.uint(value);
  } else if (type.kind === 'float' && typeof value === 'number') {
    out.float(value);
  } else if (type.kind === 'string' && typeof value === 'string') {
    out.string(value);
  } else if (type.kind === 'bytes' && Buffer.isBuffer(value)) {
    out.bytes(value);
  } else if (type.kind === 'slice' && Array.isArray(value)) {
    out.uint(value.length);
    for (const element of value) writeValue(out, type.element, element);
  } else if (type.kind === 'map' && value instanceof Map) {
    out.uint(value.size);
    for (const [key, element] of value) {
      writeValue(out, type.key, key);
      writeValue(out, type.value, element);
    }
  } else if (type.kind === 'struct' && typeof value === 'object') {
    writeStruct(out, type, value as GobStruct);
  } else {
    throw new TypeError(`a value of type ${typeof value} cannot be written as ${type.kind}`);
  }
}

function writeStruct(out: GobWriter, type: GobStructType, value: GobStruct): void {
  let last = -1;
  for (const [index, field] of type.fields.entries()) {
    const member: GobValue | undefined = Object.hasOwn(value, field.name) ? value[field.name] : undefined;
    if (member === undefined || isZero(member)) continue;
    out.uint(index - last);
    last = index;
    writeValue(out, field.type, member);
  }
  out.uint(0);
}

/** What Go leaves out of a struct. An empty map is sent: it is not the same as none. */
function isZero(value: GobValue): boolean {
  if (typeof value === 'object') return 'length' in value && value.length === 0;
  return value === false || value === '' || value === 0n || value === 0;
}

function isWhole(value: GobValue): value is number | bigint {
  return typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value));
}

/** The primitives: numbers are a length and big-endian bytes, whole signed numbers carry their sign in the lowest bit. */
class GobWriter {
  readonly #parts: Buffer[] = [];
  #size = 0;

  uint(value: number | bigint): void {
    if (value < 128) {
      this.#append(Buffer.of(Number(value)));
      return;
    }
    let rest = BigInt(value);
    const digits: number[] = [];
    for (; rest > 0n; rest >>= 8n) digits.unshift(Number(rest & 0xffn));
    if (digits.length > 8) throw new TypeError('a gob number has at most 64 bits');
    this.#append(Buffer.of(256 - digits.length, ...digits));
  }

  int(value: number | bigint): void {
    const whole = BigInt(value);
    this.uint(whole >= 0n ? whole << 1n : ((-whole - 1n) << 1n) | 1n);
  }

  /** The bits of the double with their bytes reversed, so that round numbers are short. */
  float(value: number): void {
    const bits = Buffer.alloc(8);
    bits.writeDoubleLE(value);
    this.uint(bits.readBigUInt64BE());
  }

  string(text: string): void {
    this.bytes(Buffer.from(text, 'utf8'));
  }

  bytes(bytes: Buffer): void {
    this.uint(bytes.length);
    this.#append(bytes);
  }

  /** A message is its length and its content. */
  message(content: GobWriter): void {
    this.bytes(content.toBuffer());
  }

  toBuffer(): Buffer {
    return Buffer.concat(this.#parts, this.#size);
  }

  #append(bytes: Buffer): void {
    this.#parts.push(bytes);
    this.#size += bytes.length;
  }
}
