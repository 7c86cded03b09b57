/** Forms in any pieces, with any content, cut anywhere: parts come out as they were put in, or the form is refused; nothing hangs. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { CcxError } from '../../encoding/ccx-error.ts';
import {
  boundaryCharactersMax,
  boundaryLineBytesMax,
  formBoundary,
  MultipartReader,
  type PartHeader,
  partHeaderBytesMax,
  partsMax,
} from './multipart-reader.ts';

interface ReadPart extends PartHeader {
  readonly body: Buffer;
}

function sourceOf(bytes: Buffer, sizes: readonly number[] = [bytes.length]) {
  const state = { at: 0, turn: 0 };
  return {
    async next() {
      if (state.at >= bytes.length) return undefined;
      const size = Math.max(1, sizes[state.turn % sizes.length] ?? 1);
      state.turn += 1;
      const chunk = bytes.subarray(state.at, state.at + size);
      state.at += size;
      return chunk;
    },
  };
}

async function readAll(bytes: Buffer, boundary: string, sizes?: readonly number[]): Promise<ReadPart[]> {
  const reader = new MultipartReader(sourceOf(bytes, sizes), boundary);
  const parts: ReadPart[] = [];
  for (;;) {
    const header = await reader.nextPart();
    if (header === undefined) return parts;
    const chunks: Buffer[] = [];
    for (;;) {
      const chunk = await reader.chunk();
      if (chunk === undefined) break;
      assert.ok(chunk.length > 0);
      chunks.push(Buffer.from(chunk));
    }
    parts.push({ ...header, body: Buffer.concat(chunks) });
  }
}

async function outcome(bytes: Buffer, boundary = 'b', sizes?: readonly number[]): Promise<ReadPart[] | string> {
  try {
    return await readAll(bytes, boundary, sizes);
  } catch (error) {
    assert.ok(error instanceof CcxError, String(error));
    return error.code;
  }
}

const simple = '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nbody\r\n--b--\r\n';

describe('parts', () => {
  test('of any content, in any pieces, come out as they were put in', async () => {
    // Content out of the very characters that boundaries are made of finds what random bytes do not.
    const tricky = fc.array(fc.constantFrom('\r', '\n', '\r\n', '-', '--', '--b', '\r\n--', '\r\n--b', 'b', ' ', 'x'), {
      maxLength: 30,
    });
    const body = fc.oneof(
      tricky.map((pieces) => Buffer.from(pieces.join(''))),
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    );
    const part = fc.record({
      name: fc.stringMatching(/^[a-z]{1,8}$/),
      filename: fc.stringMatching(/^[a-z.]{0,8}$/),
      body,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(part, { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }),
        fc.constantFrom('', 'preamble\r\n', '\r\n'),
        fc.constantFrom('--\r\n', '--', '--\r\nepilogue\r\n--b\r\n'),
        async (parts, sizes, preamble, end) => {
          const boundary = 'boundary';
          fc.pre(parts.every((one) => !one.body.includes('boundary')));
          const pieces: (Buffer | string)[] = [preamble];
          for (const { name, filename, body: bytes } of parts) {
            pieces.push(`--${boundary}\r\ncontent-disposition: form-data; name="${name}"; filename="${filename}"\r\n`);
            pieces.push('Content-Type: Text/Plain; X=y\r\n\r\n', bytes, '\r\n');
          }
          pieces.push(`--${boundary}${end}`);
          const bytes = Buffer.concat(pieces.map((piece) => Buffer.from(piece)));
          const read = await readAll(bytes, boundary, sizes);
          assert.deepEqual(
            read,
            parts.map((one) => ({ ...one, contentType: 'Text/Plain; X=y' })),
          );
        },
      ),
      { numRuns: 300 },
    );
  });

  test('of a form that is cut or changed anywhere come out or are refused', async () => {
    const whole = Buffer.from(`pre\r\n${simple.slice(0, -6)} \t\r\nContent-Type: x\r\n\r\n\r\n--b--\r\n`);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(whole.length),
        fc.array(fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) }), { maxLength: 3 }),
        fc.integer({ min: 1, max: 50 }),
        async (cut, changes, size) => {
          const bytes = Buffer.from(whole);
          for (const { at, byte } of changes) bytes[at % bytes.length] = byte;
          const result = await outcome(bytes.subarray(0, cut), 'b', [size]);
          assert.ok(Array.isArray(result) || result === 'FORM_INVALID');
        },
      ),
      { numRuns: 500 },
    );
  });

  test('may lack headers, a body, or even the line end before the next boundary', async () => {
    const read = (text: string) => outcome(Buffer.from(text));
    const nameless = { name: '', filename: '', contentType: '' };
    assert.deepEqual(await read('--b\r\n\r\nbody\r\n--b--'), [{ ...nameless, body: Buffer.from('body') }]);
    assert.deepEqual(await read('--b\r\n\r\n\r\n--b--'), [{ ...nameless, body: Buffer.alloc(0) }]);
    assert.deepEqual(await read('--b\r\n\r\n--b--'), [{ ...nameless, body: Buffer.alloc(0) }]);
    assert.deepEqual(await read('--b--'), []);
    assert.deepEqual(await read('--b \t\r\n\r\nx\r\n--bb\r\n--b--'), [{ ...nameless, body: Buffer.from('x\r\n--bb') }]);
  });

  test('that nobody reads are skipped', async () => {
    const reader = new MultipartReader(sourceOf(Buffer.from(simple.replace('--b--', `${simple}`))), 'b');
    assert.equal((await reader.nextPart())?.name, 'a');
    assert.equal((await reader.nextPart())?.name, 'a');
    assert.equal(await reader.nextPart(), undefined);
    assert.equal(await reader.nextPart(), undefined);
    assert.equal(await reader.chunk(), undefined);
  });
});

describe('as Go reads them, forms', () => {
  const head = 'Content-Disposition: form-data; name="a"';
  const bodies = async (text: string) => {
    const read = await outcome(Buffer.from(text, 'latin1'));
    return typeof read === 'string' ? read : read.map(({ body }) => body.toString('latin1'));
  };

  test('may end their lines in LF, if the first boundary does', async () => {
    assert.deepEqual(await bodies(`--b\n${head}\n\nx\ny\n--b\n${head}\n\n\n--b--\n`), ['x\ny', '']);
    assert.deepEqual(await bodies(`pre\r\n--b\n${head}\n\nx\r\n--b--`), ['x\r'], 'the CR is content then');
    assert.deepEqual(await bodies(`--b\r\n${head}\n\nx\n--b\r\n\r\n--b--`), ['x\n--b\r\n'], 'an LF is none after CRLF');
    assert.equal(await bodies(`--b\n${head}\n\nx\n--b\r\n${head}\r\n\r\ny\n--b--`), 'FORM_INVALID');
  });

  test('may end where the headers of a part would begin', async () => {
    assert.deepEqual(await bodies(`--b\r\n${head}\r\n\r\nx\r\n--b\r\n`), ['x']);
    assert.deepEqual(await bodies(`--b\r\n${head}\r\n\r\nx\r\n--b\r\n${head}\r\n`), ['x']);
    assert.equal(await bodies(`--b\r\n${head}\r\n\r\nx\r\n--b\r\nno header`), 'FORM_INVALID');
    assert.equal(await bodies(`--b\r\n${head}\r\n\r\nx`), 'FORM_INVALID');
  });

  test('may hold what only begins like a boundary', async () => {
    for (const text of ['\r\n--b-', '\r\n--b-x', '\r\n--bc', '\r\n--b-\r\n--b.', '--bx', '\n--b--'])
      assert.deepEqual(await bodies(`--b\r\n${head}\r\n\r\n${text}\r\n--b--\r\n`), [text], JSON.stringify(text));
    for (const text of ['\r\n--b--x', '\r\n--b x', '--b\tx'])
      assert.equal(await bodies(`--b\r\n${head}\r\n\r\n${text}\r\n--b--\r\n`), 'FORM_INVALID', JSON.stringify(text));
  });

  test('have quoted-printable parts decoded', async () => {
    const coded = (text: string) =>
      bodies(`--b\r\n${head}\r\ncontent-transfer-encoding: Quoted-Printable\r\n\r\n${text}\r\n--b--`);
    for (const [text, decoded] of [
      ['=41=4a=c3=BC', 'AJ\xc3\xbc'],
      ['a=\r\nb=\nc= \t\r\nd', 'abcd'],
      ['a \t\r\nb\nc=', 'a\r\nb\nc'],
      ['a=zb=', 'a=zb'],
      ['\xff', '\xff'],
      ['', ''],
    ] as const)
      assert.deepEqual(await coded(text), [decoded], JSON.stringify(text));
    for (const text of ['\x01', 'a=x \x7f', '=', 'a=\r', 'x'.repeat(5_000)])
      assert.equal(await coded(text), 'FORM_INVALID', JSON.stringify(text.slice(0, 10)));
    assert.deepEqual(
      await bodies(`--b\r\n${head}\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==\r\n--b--`),
      ['YQ=='],
      'nothing else is',
    );
  });
});

describe('a part’s disposition', () => {
  for (const [disposition, name, filename] of [
    ['form-data; name="file"; filename="a.tar.gz"', 'file', 'a.tar.gz'],
    ['form-data; name=file; filename=a', 'file', 'a'],
    ['FORM-DATA ; NAME = "file" ;filename="a"', 'file', 'a'],
    ['form-data; name="a \\"b\\" c"; filename="x\\\\y"', 'a "b" c', 'x\\y'],
    ['form-data; filename="a;b"; name="file"', 'file', 'a;b'],
    ["form-data; name=file; filename*=UTF-8''a%20b", 'file', 'a b'],
    ["form-data; name*=us-ascii'en'file; filename=a", 'file', 'a'],
    ["form-data; name*0=fi; name*1*=%6Ce; filename*0*=utf-8''%C3%BC; filename*1=.gz", 'file', 'ü.gz'],
    ["form-data; name=other; name*=utf-8''file; filename=a; filename*=latin-1''b", 'file', 'a'],
    ["form-data; name=file; filename*=utf-8''%zz", 'file', ''],
    ['form-data; name="file"; name=file; filename=a', 'file', 'a'],
    ['form-data; name=file; filename=a;', 'file', 'a'],
    ['form-data; name=file; filename="a', '', ''],
    ['form-data; name=file; filename="C:\\dir\\a.gz"', 'file', 'C:\\dir\\a.gz'],
    ['form-data; name="file"; filename=""', 'file', ''],
    ['form-data; name="file"; name="other"', '', ''],
    ['attachment; name="file"; filename="a"', '', 'a'],
    ['', '', ''],
  ] as const) {
    test(`${disposition || '(none)'} names ${JSON.stringify(name)}`, async () => {
      const [part] = await readAll(Buffer.from(`--b\r\nContent-Disposition: ${disposition}\r\n\r\n\r\n--b--`), 'b');
      assert.deepEqual([part?.name, part?.filename], [name, filename]);
    });
  }

  test('may go on in the next line; the first of several counts', async () => {
    const header = 'Content-Disposition: form-data;\r\n name="a"\r\nContent-Disposition: form-data; name="b"';
    const [part] = await readAll(Buffer.from(`--b\r\n${header}\r\n\r\n\r\n--b--`), 'b');
    assert.equal(part?.name, 'a');
  });
});

describe('limits hold at their value and not one past it', () => {
  test('parts', async () => {
    const many = (count: number) => Buffer.from(`${'--b\r\n\r\n\r\n'.repeat(count)}--b--`);
    assert.equal((await outcome(many(partsMax))).length, partsMax);
    assert.equal(await outcome(many(partsMax + 1)), 'FORM_INVALID');
  });

  test('headers of a part', async () => {
    // The empty line behind them counts, too.
    const part = (bytes: number) => Buffer.from(`--b\r\nx: ${'y'.repeat(bytes - 7)}\r\n\r\n\r\n--b--`);
    assert.equal((await outcome(part(partHeaderBytesMax))).length, 1);
    assert.equal(await outcome(part(partHeaderBytesMax + 1)), 'FORM_INVALID');
    const endless = Buffer.from(`--b\r\n${'x'.repeat(10 * partHeaderBytesMax)}`);
    assert.equal(await outcome(endless, 'b', [1_000]), 'FORM_INVALID');
  });

  test('lines between parts', async () => {
    const line = (bytes: number) => Buffer.from(`--b${' '.repeat(bytes - 5)}\r\n\r\n\r\n--b--`);
    assert.equal((await outcome(line(boundaryLineBytesMax))).length, 1);
    assert.equal(await outcome(line(boundaryLineBytesMax + 1)), 'FORM_INVALID');
  });

  test('characters of a boundary', () => {
    const type = (length: number) => `multipart/form-data; boundary=${'b'.repeat(length)}`;
    assert.equal(formBoundary(type(boundaryCharactersMax))?.length, boundaryCharactersMax);
    assert.equal(formBoundary(type(boundaryCharactersMax + 1)), undefined);
  });
});

test('the boundary of a content type', () => {
  for (const [type, boundary] of [
    ['multipart/form-data; boundary=abc', 'abc'],
    ['Multipart/Form-Data; charset=utf-8; BOUNDARY="a b"', 'a b'],
    ['multipart/form-data;boundary=abc;', 'abc'],
    ['multipart/form-data', undefined],
    ['multipart/form-data; boundary=', undefined],
    ['multipart/mixed; boundary=abc', undefined],
    ['multipart/form-data; boundary=a; boundary=b', undefined],
    ['', undefined],
    [undefined, undefined],
  ] as const) {
    assert.equal(formBoundary(type), boundary, String(type));
  }
});
