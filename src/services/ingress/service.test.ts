/** What a client and the bus see of ingress: the acceptance list of ingress.md A.15, over real connections. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import {
  archiveKeys,
  BOUNDARY,
  filePart,
  form,
  type IngressBench,
  metadataPart,
  OPENSHIFT_TYPE,
  send,
  startIngressBench,
  TEST_ACCOUNT,
  TEST_ORG,
  unfinishedFiles,
  upload,
  userIdentity,
} from '../../../test/support/ingress-bench.ts';
import { until } from '../../../test/support/until.ts';
import { encodeIdentity } from '../../contracts/identity.ts';
import { TOPIC_PAYLOAD_STATUS, TOPIC_UPLOAD_ANNOUNCE } from '../../contracts/topics.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { headerBytesMax } from '../../platform/http/http-server.ts';
import type { DirectoryObjectStore } from '../../platform/objects/directory/directory-store.ts';
import type { ByteRange } from '../../platform/objects/object-store.ts';
import { gatheredBytesMax } from './archive-staging.ts';
import { formOverheadBytesMax } from './steps/receive-form.ts';

const archive = Buffer.from('not looked at');
const goNotFound = '404 page not found\n';

describe('a form', () => {
  test('is accepted with its file under either name, and under no other', async (t) => {
    const bench = await startIngressBench(t);
    for (const name of ['file', 'upload']) {
      const answer = await upload(bench, [filePart(archive, OPENSHIFT_TYPE, name)]);
      assert.equal(answer.status, 202);
    }
    const answer = await upload(bench, [filePart(archive, OPENSHIFT_TYPE, 'archive')]);
    assert.equal(answer.status, 400);
    assert.equal(answer.text, 'File or upload field not found');
    assert.equal(answer.headers['content-type'], 'text/plain; charset=utf-8');
  });

  test('has a file if and only if a part has a filename', async (t) => {
    const bench = await startIngressBench(t);
    const value = await upload(bench, [{ name: 'file', type: OPENSHIFT_TYPE, body: archive }]);
    assert.equal(value.status, 400);
    const both = await upload(bench, [
      { name: 'file', type: OPENSHIFT_TYPE, body: 'a value' },
      filePart(archive, OPENSHIFT_TYPE, 'upload'),
    ]);
    assert.equal(both.status, 202);
  });

  test('gives `file` precedence over `upload` in any order, and the first of several', async (t) => {
    const bench = await startIngressBench(t);
    const answers = [
      await upload(bench, [filePart('upload', OPENSHIFT_TYPE, 'upload'), filePart('file')]),
      await upload(bench, [filePart('file'), filePart('upload', OPENSHIFT_TYPE, 'upload')]),
      await upload(bench, [filePart('file'), filePart('second')]),
      await upload(bench, [filePart('upload', 'application/invalid', 'upload'), filePart('file')]),
    ];
    for (const answer of answers) {
      assert.equal(answer.status, 202);
      const stored = await bench.objects.get(String(answer.headers['x-rh-insights-request-id']));
      assert.equal(await textOf(stored?.body), 'file');
    }
    assert.deepEqual(await unfinishedFiles(bench.path), []);
  });

  test('that is none is refused, whatever is wrong with it', async (t) => {
    const bench = await startIngressBench(t);
    const body = form([filePart(archive)]);
    const cases: readonly [string, string, Buffer][] = [
      ['cut', `multipart/form-data; boundary=${BOUNDARY}`, body.subarray(0, -10)],
      ['cut in a header', `multipart/form-data; boundary=${BOUNDARY}`, body.subarray(0, 80)],
      ['without a boundary', 'multipart/form-data', body],
      ['with another boundary', 'multipart/form-data; boundary=other', body],
      ['of another type', 'multipart/mixed; boundary=x', body],
      ['that is a text', 'text/plain', body],
      ['that is empty', `multipart/form-data; boundary=${BOUNDARY}`, Buffer.alloc(0)],
      ['with a type that is none', 'multipart/form-data; ; =', body],
    ];
    for (const [title, type, bytes] of cases) {
      const answer = await send(bench.ingress.uploadUrl, {
        method: 'POST',
        headers: { 'content-type': type, 'x-rh-identity': userIdentity },
        body: bytes,
      });
      assert.equal(answer.status, 400, title);
      assert.equal(answer.text, 'File or upload field not found', title);
    }
    assert.deepEqual(await archiveKeys(bench.objects), []);
    assert.deepEqual(await unfinishedFiles(bench.path), []);
    assert.deepEqual(bench.bus.records, []);
  });

  test('may have 1000 parts and not one more', async (t) => {
    const bench = await startIngressBench(t);
    const values = Array.from({ length: 1000 }, (_, n) => ({ name: `v${n}`, body: '' }));
    assert.equal((await upload(bench, [...values.slice(1), filePart(archive)])).status, 202);
    assert.equal((await upload(bench, [...values, filePart(archive)])).status, 400);
  });

  test('may come in any pieces, with its boundary in quotes', async (t) => {
    const bench = await startIngressBench(t);
    const bytes = form([filePart(Buffer.from(`\r\n--${BOUNDARY.slice(1)}\r\n--`)), metadataPart({})]);
    for (const size of [1, 3, 61, 100]) {
      const answer = await send(bench.ingress.uploadUrl, {
        method: 'POST',
        headers: {
          'content-type': `Multipart/Form-Data; charset=utf-8; boundary="${BOUNDARY}"`,
          'x-rh-identity': userIdentity,
        },
        body: pieces(bytes, size),
      });
      assert.equal(answer.status, 202);
      const stored = await bench.objects.get(String(answer.headers['x-rh-insights-request-id']));
      assert.equal(await textOf(stored?.body), `\r\n--${BOUNDARY.slice(1)}\r\n--`);
    }
  });

  test('with an empty file is refused for openshift, whose operator takes such a retry for a success, and for nobody else', async (t) => {
    const bench = await startIngressBench(t);
    for (const name of ['file', 'upload']) {
      const answer = await upload(bench, [filePart('', OPENSHIFT_TYPE, name), metadataPart({})]);
      assert.deepEqual([answer.status, answer.text], [400, 'The archive is empty']);
    }
    assert.equal(await bench.metric('ccx_ingress_refused_total', { code: 'ARCHIVE_EMPTY' }), 2);
    assert.deepEqual(bench.bus.records, []);
    assert.deepEqual(await archiveKeys(bench.objects), []);
    assert.deepEqual(await unfinishedFiles(bench.path), []);
    assert.equal((await upload(bench, [filePart('', 'application/vnd.redhat.qpc.x')])).status, 202);
    assert.equal(announcements(bench.bus)[0]?.['size'], 0);
  });

  test('that the client breaks off leaves no file', async (t) => {
    const bench = await startIngressBench(t);
    const { port } = new URL(bench.ingress.baseUrl);
    const socket = connect(Number(port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write(
      `POST /api/ingress/v1/upload HTTP/1.1\r\nHost: x\r\nx-rh-identity: ${userIdentity}\r\n` +
        `Content-Type: multipart/form-data; boundary=${BOUNDARY}\r\nContent-Length: 10000000\r\n\r\n`,
    );
    socket.write(form([filePart(Buffer.alloc(2 * gatheredBytesMax))]).subarray(0, gatheredBytesMax + 100_000));
    await until(async () => (await unfinishedFiles(bench.path)).length === 1);
    socket.destroy();
    await until(() => bench.ingress.idle());
    assert.deepEqual(await unfinishedFiles(bench.path), []);
    assert.deepEqual(await archiveKeys(bench.objects), []);
    assert.deepEqual(bench.bus.records, []);
    await until(async () => (await bench.metric('ingress_responses', { code: '400' })) === 1);
  });
});

describe('the content type', () => {
  test('decides between 201 and 202, together with metadata', async (t) => {
    const bench = await startIngressBench(t);
    const gzipTypes = ['application/x-gzip; charset=binary', 'application/gzip', 'application/gzip; charset=binary'];
    for (const type of ['application/vnd.redhat.advisor.x', ...gzipTypes]) {
      assert.equal((await upload(bench, [filePart(archive, type)])).status, 201, type);
      // Go cannot tell an empty value from none.
      assert.equal((await upload(bench, [filePart(archive, type), { name: 'metadata', body: '' }])).status, 201, type);
      for (const metadata of [
        metadataPart({}),
        metadataPart('no JSON'),
        metadataPart(''),
        { name: 'metadata', body: '{}' },
      ]) {
        assert.equal((await upload(bench, [filePart(archive, type), metadata])).status, 202, type);
      }
    }
  });

  test('that is not accepted is 415 without a body', async (t) => {
    const bench = await startIngressBench(t);
    for (const type of [
      'application/invalid',
      'application/vnd.redhat.unknown.periodic',
      'application/vnd.redhat.OPENSHIFT.periodic',
      'APPLICATION/vnd.redhat.openshift.periodic',
      'application/gzip;charset=binary',
      '',
    ]) {
      for (const name of ['file', 'upload']) {
        const answer = await upload(bench, [filePart(archive, type, name)]);
        assert.equal(answer.status, 415, type);
        assert.equal(answer.text, '');
      }
    }
    assert.deepEqual(bench.bus.records, []);
    assert.deepEqual(await archiveKeys(bench.objects), []);
  });

  test('names service and category, and is announced verbatim', async (t) => {
    const bench = await startIngressBench(t);
    const types: readonly [string, string, string][] = [
      [OPENSHIFT_TYPE, 'openshift', 'periodic'],
      ['application/vnd.redhat.openshift.periodic+tar', 'openshift', 'periodic'],
      ['application/vnd.redhat.advisor.tgz; Charset=Binary', 'advisor', 'tgz'],
      ['x application/vnd.redhat.advisor.example+tgz', 'advisor', 'example'],
      ['application/gzip', 'advisor', 'upload'],
    ];
    for (const [type] of types) await upload(bench, [filePart(archive, type)]);
    assert.deepEqual(
      announcements(bench.bus).map((value) => [value['content_type'], value['service'], value['category']]),
      types,
    );
  });
});

describe('the size', () => {
  test('may be the limit and not one byte more; the limit that applied is told', async (t) => {
    const bench = await startIngressBench(t, {
      env: { INGRESS_DEFAULTMAXSIZE: '1000', INGRESS_MAXSIZEMAP: '{"qpc": "2000", "advisor": "10", "x": "many"}' },
    });
    const cases: readonly [string, number][] = [
      [OPENSHIFT_TYPE, 1000],
      ['application/vnd.redhat.qpc.x', 2000],
      ['application/vnd.redhat.advisor.x', 10],
    ];
    for (const [type, limit] of cases) {
      for (const name of ['file', 'upload']) {
        assert.ok((await upload(bench, [filePart(Buffer.alloc(limit), type, name)])).status < 300);
        const answer = await upload(bench, [filePart(Buffer.alloc(limit + 1), type, name)]);
        assert.equal(answer.status, 413);
        assert.equal(answer.text, `File exceeds maximum file size (${limit}) for upload: ${limit + 1}`);
      }
    }
    assert.deepEqual(await unfinishedFiles(bench.path), []);
    assert.equal((await archiveKeys(bench.objects)).length, 6);
  });

  test('over the limit ends the reading early: an endless file gets its answer', async (t) => {
    const bench = await startIngressBench(t, { env: { INGRESS_DEFAULTMAXSIZE: '1000' } });
    const sent = { bytes: 0 };
    const endless = (function* () {
      yield formHead();
      for (;;) {
        sent.bytes += 65_536;
        yield Buffer.alloc(65_536);
      }
    })();
    const outcome = await send(bench.ingress.uploadUrl, {
      method: 'POST',
      headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}`, 'x-rh-identity': userIdentity },
      body: endless,
    }).catch((error: unknown) => error);
    // A client that writes for ever may see its connection closed before it reads; what counts is that it does not go on for ever.
    if (!(outcome instanceof Error)) assert.equal((outcome as { status: number }).status, 413);
    assert.ok(sent.bytes < 64 * 1024 * 1024, `${sent.bytes} bytes were taken`);
    await until(async () => (await bench.metric('ingress_responses', { code: '413' })) === 1);
    assert.deepEqual(await archiveKeys(bench.objects), []);
  });

  test('of everything around the file is bounded, too, and the answer says that it is this', async (t) => {
    const bench = await startIngressBench(t);
    const around = (bytes: number) => upload(bench, [{ name: 'note', body: Buffer.alloc(bytes) }, filePart(archive)]);
    assert.equal((await around(2 * 1024 * 1024)).status, 202);
    assert.equal((await around(formOverheadBytesMax - 1_000)).status, 202);
    const answer = await around(formOverheadBytesMax + 100_000);
    assert.deepEqual(
      [answer.status, answer.text],
      [413, `The form holds more than ${formOverheadBytesMax} bytes beside its file`],
    );
  });
});

describe('a denied organization', () => {
  test('is refused by name, except for tests; both separators work', async (t) => {
    for (const list of [`7 ${TEST_ORG}`, `7,${TEST_ORG}`]) {
      const bench = await startIngressBench(t, { env: { INGRESS_DENY_LISTED_ORGIDS: list } });
      const answer = await upload(bench, [filePart(archive)]);
      assert.equal(answer.status, 403);
      assert.equal(answer.text, 'Upload denied. Please contact Red Hat Support.');
      assert.equal((await upload(bench, [], { path: '/api/ingress/v1/upload?test=test' })).status, 200);
      assert.equal(await bench.metric('ingress_requests'), 0);
      assert.equal(await bench.metric('ingress_responses', { code: '403' }), 1);
    }
  });
});

describe('the identity', () => {
  const encode = (document: unknown) => Buffer.from(JSON.stringify(document)).toString('base64');
  const refusals: readonly [string, string | undefined, string][] = [
    ['missing', undefined, 'Bad Request: missing x-rh-identity header\n'],
    ['not base64', 'a', 'Bad Request: unable to b64 decode x-rh-identity header\n'],
    [
      'unpadded',
      userIdentity.replace(/=+$/, '').slice(0, -1),
      'Bad Request: unable to b64 decode x-rh-identity header\n',
    ],
    [
      'without organization',
      encode({ identity: { type: 'User' } }),
      'Bad Request: x-rh-identity header has an invalid or missing org_id\n',
    ],
    ['without type', encode({ identity: { org_id: '1' } }), 'Bad Request: x-rh-identity header is missing type\n'],
  ];

  test('is needed on both prefixes; every fault has its text', async (t) => {
    const bench = await startIngressBench(t);
    for (const prefix of ['/api/ingress/v1', '/r/insights/platform/ingress/v1']) {
      for (const [title, header, text] of refusals) {
        const headers: Record<string, string> = header === undefined ? {} : { 'x-rh-identity': header };
        for (const [method, path] of [
          ['POST', '/upload'],
          ['GET', ''],
          ['GET', '/'],
          ['GET', '/track/766bd49580ce4ed489ec04e35fc7edac'],
        ] as const) {
          const answer = await send(`${bench.ingress.baseUrl}${prefix}${path}`, { method, headers });
          assert.equal(answer.status, 400, `${title} ${path}`);
          assert.equal(answer.text, text);
          assert.equal(answer.headers['content-type'], 'text/plain; charset=utf-8');
          assert.equal(answer.headers['x-content-type-options'], 'nosniff');
        }
      }
      const wrongType = await send(`${bench.ingress.baseUrl}${prefix}/`, {
        headers: { 'x-rh-identity': encode({ identity: { type: 'User', org_id: 1 } }) },
      });
      assert.match(
        wrongType.text,
        /^Bad Request: x-rh-identity header does not contain valid JSON: json: cannot unmarshal number .*\n$/,
      );
      const version = await send(`${bench.ingress.baseUrl}${prefix}/version`);
      assert.equal(version.status, 200);
      assert.deepEqual(JSON.parse(version.text), { version: '1.2.3', commit: 'notrunninginopenshift' });
      const open = await send(`${bench.ingress.baseUrl}${prefix}`, { headers: { 'x-rh-identity': userIdentity } });
      assert.equal(open.text, 'lubdub');
      assert.equal((await upload(bench, [filePart(archive)], { path: `${prefix}/upload` })).status, 202);
    }
    assert.equal(await bench.metric('ingress_responses', { code: '400' }), refusals.length * 2);
  });

  test('without organization leaves the answer without members', async (t) => {
    const bench = await startIngressBench(t);
    const answer = await upload(bench, [filePart(archive)], {
      headers: {
        'x-rh-identity': encodeIdentity({ identity: { type: 'Associate' } }),
        'x-rh-insights-request-id': 'x',
      },
    });
    assert.equal(answer.text, '{"request_id":"x","upload":{}}');
  });

  test('is not asked for where authentication is off; what is sent is passed on', async (t) => {
    const bench = await startIngressBench(t, { env: { INGRESS_AUTH: 'false' } });
    for (const identity of ['whatever', undefined]) {
      const answer = await send(bench.ingress.uploadUrl, {
        method: 'POST',
        headers: {
          'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
          ...(identity === undefined ? {} : { 'x-rh-identity': identity }),
        },
        body: form([filePart(archive)]),
      });
      assert.equal(answer.status, 202);
    }
    assert.deepEqual(
      announcements(bench.bus).map((value) => [
        value['b64_identity'],
        value['account'],
        value['org_id'],
        value['principal'],
      ]),
      [
        ['whatever', '', '', ''],
        ['', '', '', ''],
      ],
    );
    const track = await send(`${bench.ingress.baseUrl}/api/ingress/v1/track/766bd49580ce4ed489ec04e35fc7edac`);
    assert.equal(track.status, 404);
    assert.equal(track.text, goNotFound);
  });
});

describe('a test request', () => {
  const formType = `multipart/form-data; boundary=${BOUNDARY}`;
  const cases: readonly [string, string, string, string, number][] = [
    ['urlencoded', '', 'application/x-www-form-urlencoded', 'a=b&test=test', 200],
    ['urlencoded, first value', '', 'application/x-www-form-urlencoded', 'test=foo&test=test', 400],
    ['in the query', '?test=test', 'text/plain', '', 200],
    ['in the query of a form', '?x=1&test=test', formType, form([filePart('x')]).toString(), 200],
    ['body before query', '?test=test', 'application/x-www-form-urlencoded', 'test=foo', 400],
    ['JSON', '', 'application/json', '{ "x": {"test" : "test" } }', 200],
    ['JSON with a charset', '', 'application/json; charset=utf-8', '{"test":"test"}', 400],
    ['other JSON', '', 'application/json', '{"test":"foo"}', 400],
    ['a value of a form without file', '', formType, form([{ name: 'test', body: 'test' }]).toString(), 200],
    ['another value of a form', '', formType, form([{ name: 'test', body: 'tests' }]).toString(), 400],
  ];
  for (const [title, query, type, body, status] of cases) {
    test(`${title}: ${status}`, async (t) => {
      const bench = await startIngressBench(t);
      const answer = await send(`${bench.ingress.uploadUrl}${query}`, {
        method: 'POST',
        headers: { 'content-type': type, 'x-rh-identity': userIdentity, 'x-rh-insights-request-id': 'id1' },
        body: Buffer.from(body),
      });
      assert.equal(answer.status, status);
      if (status === 200) {
        assert.equal(answer.headers['content-type'], 'application/json');
        assert.equal(
          answer.text,
          `{"request_id":"id1","upload":{"account_number":"${TEST_ACCOUNT}","org_id":"${TEST_ORG}"}}`,
        );
      }
      assert.equal(await bench.metric('ingress_requests'), status === 200 && !title.includes('form without') ? 0 : 1);
      assert.deepEqual(bench.bus.records, []);
    });
  }

  test('has a body of up to 4 KiB; a longer one is none', async (t) => {
    const bench = await startIngressBench(t);
    const test = (bytes: number) =>
      send(bench.ingress.uploadUrl, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-rh-identity': userIdentity },
        body: Buffer.from(`test=test&x=${'a'.repeat(bytes - 12)}`),
      });
    assert.equal((await test(4_096)).status, 200);
    assert.equal((await test(4_097)).status, 400);
  });

  test('that goes on and on is not read to its end', async (t) => {
    const bench = await startIngressBench(t);
    const sent = { bytes: 0 };
    const endless = (function* () {
      for (;;) {
        sent.bytes += 16_384;
        yield Buffer.alloc(16_384, 'a');
      }
    })();
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'x-rh-identity': userIdentity };
    const request = { method: 'POST', headers, body: endless };
    // Whether it still reads its answer before the connection is closed is the system's business.
    const outcome = await send(bench.ingress.uploadUrl, request).catch((error: unknown) => error);
    if (!(outcome instanceof Error)) assert.equal((outcome as { status: number }).status, 400);
    // What lies in the buffers of the system, which are a few MiB on this way.
    assert.ok(sent.bytes < 12 * 1024 * 1024, `${sent.bytes} bytes were taken`);
    await until(async () => (await bench.metric('ingress_responses', { code: '400' })) === 1);
  });

  test('needs an identity like any other', async (t) => {
    const bench = await startIngressBench(t);
    assert.equal((await send(`${bench.ingress.uploadUrl}?test=test`, { method: 'POST' })).status, 400);
  });
});

describe('the operator', () => {
  test('is answered as it expects, for its request byte for byte', async (t) => {
    const bench = await startIngressBench(t, { settings: { commit: 'abc' } });
    const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, n) => (n * 7) % 256));
    const id = '766bd49580ce4ed489ec04e35fc7edac';
    const { port } = new URL(bench.ingress.baseUrl);
    const socket = connect(Number(port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write(
      'POST /api/ingress/v1/upload HTTP/1.1\r\nHost: ingress:3000\r\n' +
        'User-Agent: insights-operator/4.19.0-abc cluster/84ef291d-8f1b-4d28-ab34-cfddff941b84\r\n' +
        `Transfer-Encoding: chunked\r\nAuthorization: Bearer secret\r\nContent-Type: multipart/form-data; boundary=${BOUNDARY}\r\n` +
        `Accept-Encoding: gzip\r\nConnection: close\r\nX-Rh-Identity: ${userIdentity}\r\nX-Rh-Insights-Request-Id: ${id}\r\n\r\n`,
    );
    const body = form([filePart(bytes), metadataPart({ custom_metadata: { gathering_time: '2026-11-21T16:00:00Z' } })]);
    for (const piece of pieces(body, 32_768)) {
      socket.write(`${piece.length.toString(16)}\r\n`);
      socket.write(piece);
      socket.write('\r\n');
    }
    socket.write('0\r\n\r\n');
    const answer = (await textOf(socket)) ?? '';
    assert.match(answer, /^HTTP\/1\.1 202 Accepted\r\n/);
    assert.match(answer, new RegExp(`\r\nx-rh-insights-request-id: ${id}\r\n`));
    assert.match(answer, /\r\ncontent-type: application\/json\r\n/);
    assert.ok(
      answer.endsWith(`{"request_id":"${id}","upload":{"account_number":"${TEST_ACCOUNT}","org_id":"${TEST_ORG}"}}`),
    );

    const [record] = bench.bus.of(TOPIC_UPLOAD_ANNOUNCE);
    assert.deepEqual(record?.headers, { service: 'openshift' });
    assert.equal(record?.key, null);
    const value = JSON.parse(String(record?.value)) as Record<string, unknown>;
    assert.deepEqual(Object.keys(value), [
      'account',
      'category',
      'content_type',
      'metadata',
      'request_id',
      'principal',
      'org_id',
      'service',
      'size',
      'url',
      'b64_identity',
      'timestamp',
    ]);
    const { url, timestamp, metadata, ...rest } = value;
    assert.deepEqual(rest, {
      account: TEST_ACCOUNT,
      category: 'periodic',
      content_type: OPENSHIFT_TYPE,
      request_id: id,
      principal: TEST_ORG,
      org_id: TEST_ORG,
      service: 'openshift',
      size: bytes.length,
      b64_identity: userIdentity,
    });
    assert.match(String(timestamp), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/);
    const { stale_timestamp, ...others } = metadata as Record<string, unknown>;
    assert.deepEqual(others, { custom_metadata: { gathering_time: '2026-11-21T16:00:00Z' }, reporter: 'ingress' });
    const staleInMs = Date.parse(String(stale_timestamp)) - Date.parse(String(timestamp));
    assert.ok(Math.abs(staleInMs - 30 * 24 * 3_600_000) < 60_000);

    const download = await send(String(url));
    assert.equal(download.status, 200);
    assert.equal(sha256(download.body), sha256(bytes));
  });

  test('hears the answer of a refusal although it is still writing', async (t) => {
    const bench = await startIngressBench(t);
    const answer = await send(bench.ingress.uploadUrl, {
      method: 'POST',
      headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
      body: pieces(form([filePart(Buffer.alloc(8 * 1024 * 1024))]), 65_536),
    });
    assert.equal(answer.status, 400);
    assert.match(answer.text, /missing x-rh-identity/);
  });
});

describe('an announcement', () => {
  test('without readable metadata carries Go’s zero values', async (t) => {
    const bench = await startIngressBench(t);
    await upload(bench, [filePart(archive)]);
    await upload(bench, [filePart(archive), metadataPart({ custom_metadata: { n: 1 } })]);
    await upload(bench, [filePart(archive), metadataPart(`{"fqdn":"${'x'.repeat(200_000)}"}`)]);
    await upload(bench, [filePart(archive)], { path: '/api/ingress/v1/upload?metadata={"fqdn":"x"}' });
    const bodies = bench.bus.of(TOPIC_UPLOAD_ANNOUNCE).map(({ value }) => String(value));
    assert.equal(bodies.length, 4);
    for (const body of bodies)
      assert.ok(body.includes('"metadata":{"reporter":"","stale_timestamp":"0001-01-01T00:00:00Z"}'));
  });

  test('has the key that metadata asks for; a metadata file wins over a value', async (t) => {
    const bench = await startIngressBench(t);
    await upload(bench, [
      { name: 'metadata', body: '{"queue_key":"value"}' },
      filePart(archive),
      metadataPart({ queue_key: 'file' }),
      metadataPart({ queue_key: 'second' }),
    ]);
    await upload(bench, [{ name: 'metadata', body: '{"queue_key":"value"}' }, filePart(archive)]);
    assert.deepEqual(
      bench.bus.of(TOPIC_UPLOAD_ANNOUNCE).map(({ key }) => key),
      ['file', 'value'],
    );
  });
});

describe('status messages', () => {
  test('are two per upload, in order, and none for what was refused', async (t) => {
    const bench = await startIngressBench(t);
    await upload(bench, [filePart(archive, 'application/invalid')]);
    await upload(bench, [filePart(archive)], { headers: { 'x-rh-insights-request-id': 'id1' } });
    const records = await bench.bus.taken(TOPIC_PAYLOAD_STATUS, 2);
    assert.ok(records.every(({ key, headers }) => key === undefined && headers === undefined));
    const messages = records.map(({ value }) => JSON.parse(String(value)) as Record<string, unknown>);
    assert.deepEqual(
      messages.map(({ date, ...rest }) => rest),
      [
        {
          service: 'ingress',
          account: TEST_ACCOUNT,
          org_id: TEST_ORG,
          request_id: 'id1',
          status: 'received',
          status_msg: 'Payload received by ingress',
        },
        {
          service: 'ingress',
          account: TEST_ACCOUNT,
          org_id: TEST_ORG,
          request_id: 'id1',
          status: 'success',
          status_msg: 'Sent to validation service: openshift',
        },
      ],
    );
    assert.deepEqual(Object.keys(messages[0] ?? {}), [
      'service',
      'account',
      'org_id',
      'request_id',
      'status',
      'status_msg',
      'date',
    ]);
    assert.match(String(messages[0]?.['date']), /Z$/);
  });

  test('tell `received` and then `error` where the archive cannot be stored, and nothing is announced', async (t) => {
    const bench = await startIngressBench(t, {
      objects: (store) => ({
        ...objectsOf(store),
        put: async (key, body) => {
          if (key !== 'id1') return await store.put(key, body);
          if (!Buffer.isBuffer(body)) body.destroy();
          throw new CcxError('the disk is full', { code: 'OBJECTS_DISK_FULL', category: 'storage', retryable: true });
        },
      }),
    });
    const answer = await upload(bench, [filePart(Buffer.alloc(1_000_000))], {
      headers: { 'x-rh-insights-request-id': 'id1' },
    });
    assert.deepEqual([answer.status, answer.headers['retry-after']], [503, '30']);
    const records = await bench.bus.taken(TOPIC_PAYLOAD_STATUS, 2);
    assert.deepEqual(
      records.map(({ value }) => (JSON.parse(String(value)) as { status: string }).status),
      ['received', 'error'],
    );
    assert.deepEqual(bench.bus.of(TOPIC_UPLOAD_ANNOUNCE), []);
  });
});

describe('an object store that fails', () => {
  const failing = (code: string) => (store: DirectoryObjectStore) => ({
    ...objectsOf(store),
    put: async (key: string, body: Readable | Buffer) => {
      if (key.includes('/')) return await store.put(key, body);
      if (!Buffer.isBuffer(body)) body.destroy();
      throw new CcxError('it fails', { code, category: 'storage', retryable: true });
    },
    get: async (key: string, range?: ByteRange) => {
      if (key.includes('/')) return await store.get(key, range);
      throw new CcxError('it fails', { code, category: 'storage', retryable: true });
    },
  });
  for (const [code, status] of [
    ['OBJECTS_DISK_FULL', 503],
    ['OBJECTS_INODES_FULL', 503],
    ['OBJECTS_READ_ONLY', 503],
    ['OBJECTS_DESCRIPTORS', 503],
    ['OBJECTS_UNAVAILABLE', 500],
  ] as const) {
    test(`with ${code} is ${status} to an upload`, async (t) => {
      const bench = await startIngressBench(t, { objects: failing(code) });
      const answer = await upload(bench, [filePart(archive)]);
      assert.deepEqual([answer.status, answer.headers['retry-after']], [status, status === 503 ? '30' : undefined]);
      assert.deepEqual(bench.bus.of(TOPIC_UPLOAD_ANNOUNCE), []);
    });
  }

  test('is 503 to a download', async (t) => {
    const bench = await startIngressBench(t, {
      settings: { linksSigned: false },
      objects: failing('OBJECTS_DESCRIPTORS'),
    });
    const answer = await send(`${bench.ingress.baseUrl}/download/id1`);
    assert.deepEqual([answer.status, answer.headers['retry-after']], [503, '30']);
  });
});

describe('the request id', () => {
  test('is on every answer of the web listener', async (t) => {
    const bench = await startIngressBench(t);
    const { baseUrl } = bench.ingress;
    for (const [method, path] of [
      ['GET', '/'],
      ['GET', '/nowhere'],
      ['POST', '/'],
      ['GET', '/api/ingress/v1/version'],
      ['POST', '/api/ingress/v1/upload'],
    ] as const) {
      const made = await send(`${baseUrl}${path}`, { method });
      assert.match(String(made.headers['x-rh-insights-request-id']), /^[0-9a-f]{32}$/);
      const given = await send(`${baseUrl}${path}`, {
        method,
        headers: { 'X-RH-Insights-Request-ID': 'any text/1 %' },
      });
      assert.equal(given.headers['x-rh-insights-request-id'], 'any text/1 %');
    }
    assert.equal((await send(`${bench.ingress.metricsUrl}/`)).headers['x-rh-insights-request-id'], undefined);
  });

  test('may have 128 characters and not one more, and must not name what ingress keeps for itself', async (t) => {
    const bench = await startIngressBench(t);
    const withId = (id: string) => upload(bench, [filePart(archive)], { headers: { 'x-rh-insights-request-id': id } });
    assert.equal((await withId('a'.repeat(128))).status, 202);
    for (const id of ['a'.repeat(129), 'a\tb', 'é', '---', 'outbox/1', 'ingress/signingkey1']) {
      const answer = await withId(id);
      assert.equal(answer.status, 400, id);
      assert.equal(answer.text, 'Bad Request: invalid x-rh-insights-request-id header\n');
      assert.match(String(answer.headers['x-rh-insights-request-id']), /^[0-9a-f]{32}$/);
    }
    assert.deepEqual(await archiveKeys(bench.objects), ['a'.repeat(128)]);
  });

  test('that comes again replaces the archive', async (t) => {
    const bench = await startIngressBench(t);
    for (const body of ['first', 'second']) {
      await upload(bench, [filePart(body)], { headers: { 'x-rh-insights-request-id': 'same' } });
    }
    assert.equal(await textOf((await bench.objects.get('same'))?.body), 'second');
  });
});

describe('what is hardly HTTP', () => {
  /** Everything that comes back on a connection of its own. */
  async function raw(bench: IngressBench, text: string): Promise<string> {
    const socket = connect(Number(new URL(bench.ingress.baseUrl).port), '127.0.0.1');
    socket.write(text, 'latin1');
    return (await textOf(socket)) ?? '';
  }
  const withId = /\r\nx-rh-insights-request-id: [0-9a-f]{32}\r\n/;

  test('is answered as Go’s server does, with a request id, and not as JSON', async (t) => {
    const bench = await startIngressBench(t);
    const host = 'Host: x\r\nConnection: close\r\n';
    for (const [title, text, status, body] of [
      ['no request', 'nonsense\r\n\r\n', '400 Bad Request', '400 Bad Request'],
      ['a bad header', `GET / HTTP/1.1\r\n${host}a b: c\r\n\r\n`, '400 Bad Request', '400 Bad Request'],
      ['no host', 'GET / HTTP/1.1\r\n\r\n', '400 Bad Request', '400 Bad Request: missing required Host header'],
      ['a bad escape', `GET /download/%zz HTTP/1.1\r\n${host}\r\n`, '400 Bad Request', '400 Bad Request'],
      ['no UTF-8', `GET /download/%ff HTTP/1.1\r\n${host}\r\n`, '404 Not Found', goNotFound],
      ['no UTF-8 elsewhere', `GET /%C3%28/x HTTP/1.1\r\n${host}\r\n`, '404 Not Found', goNotFound],
      [
        'another method of a whole URL',
        `POST http://x/api/ingress/v1/version HTTP/1.1\r\n${host}\r\n`,
        '405 Method Not Allowed',
        '',
      ],
      ['another method there', `POST /download/%ff HTTP/1.1\r\n${host}\r\n`, '405 Method Not Allowed', ''],
      ['a method of its own', `BREW / HTTP/1.1\r\n${host}\r\n`, '405 Method Not Allowed', ''],
      ['an expectation', `GET / HTTP/1.1\r\n${host}Expect: tea\r\n\r\n`, '417 Expectation Failed', ''],
      [
        'too many headers',
        `GET / HTTP/1.1\r\n${host}x: ${'a'.repeat(headerBytesMax)}\r\n\r\n`,
        '431 Request Header Fields Too Large',
        '431 Request Header Fields Too Large',
      ],
    ] as const) {
      const answer = await raw(bench, text);
      assert.ok(answer.startsWith(`HTTP/1.1 ${status}\r\n`), `${title}: ${answer}`);
      assert.match(answer, withId, title);
      assert.equal(answer.slice(answer.indexOf('\r\n\r\n') + 4).replace(/^0\r\n\r\n$/, ''), body, title);
      assert.doesNotMatch(answer, /application\/json/, title);
    }
  });

  test('in a body is a bad form', async (t) => {
    const bench = await startIngressBench(t);
    const answer = await raw(
      bench,
      `POST /api/ingress/v1/upload HTTP/1.1\r\nHost: x\r\nx-rh-identity: ${userIdentity}\r\n` +
        `Content-Type: multipart/form-data; boundary=${BOUNDARY}\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n`,
    );
    assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/);
    assert.match(answer, withId);
    assert.match(answer, /File or upload field not found/);
  });

  test('but has large headers is taken', async (t) => {
    const bench = await startIngressBench(t);
    const answer = await upload(bench, [filePart(archive)], { headers: { cookie: 'c'.repeat(60 * 1024) } });
    assert.equal(answer.status, 202);
  });
});

describe('a client that asks before it sends its body', () => {
  const ask = async (bench: IngressBench, identity: string) => {
    const body = form([filePart(archive)]);
    const socket = connect(Number(new URL(bench.ingress.baseUrl).port), '127.0.0.1');
    socket.write(
      `POST /api/ingress/v1/upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\n${identity}` +
        `Content-Type: multipart/form-data; boundary=${BOUNDARY}\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    const [first] = (await once(socket, 'data')) as [Buffer];
    if (first.toString().startsWith('HTTP/1.1 100 ')) socket.write(body);
    return first.toString() + ((await textOf(socket)) ?? '');
  };

  test('is asked to go on when its upload may be read', async (t) => {
    const bench = await startIngressBench(t);
    const answer = await ask(bench, `x-rh-identity: ${userIdentity}\r\n`);
    assert.match(answer, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 202 /);
  });

  test('is refused without its body being waited for', async (t) => {
    const bench = await startIngressBench(t);
    assert.match(await ask(bench, ''), /^HTTP\/1\.1 400 Bad Request\r\n(.+\r\n)*connection: close\r\n/i);
  });
});

describe('paths and methods', () => {
  test('are answered as Go’s router does', async (t) => {
    const bench = await startIngressBench(t);
    const { baseUrl } = bench.ingress;
    for (const path of [
      '/nowhere',
      '/api/ingress/v1/version/',
      '/api/ingress/v1/upload/',
      '/api/ingress/v1/track/',
      '/api/ingress/v1/track/a/b',
      '/download/',
      '/download/a/b',
    ]) {
      const answer = await send(`${baseUrl}${path}`, { headers: { 'x-rh-identity': userIdentity } });
      assert.equal(answer.status, 404, path);
      assert.equal(answer.text, goNotFound);
      assert.equal(answer.headers['content-type'], 'text/plain; charset=utf-8');
      assert.equal(answer.headers['x-content-type-options'], 'nosniff');
    }
    for (const [method, path, allow] of [
      ['HEAD', '/', 'GET'],
      ['POST', '/', 'GET'],
      ['GET', '/api/ingress/v1/upload', 'POST'],
      ['DELETE', '/r/insights/platform/ingress/v1/upload', 'POST'],
      ['POST', '/api/ingress/v1/version', 'GET'],
      ['OPTIONS', '/api/ingress/v1/', 'GET'],
      ['PUT', '/api/ingress/v1/track/x', 'GET'],
      ['HEAD', '/download/x', 'GET'],
    ] as const) {
      const answer = await send(`${baseUrl}${path}`, { method });
      assert.equal(answer.status, 405, `${method} ${path}`);
      assert.equal(answer.headers.allow, allow);
      assert.equal(answer.text, '');
    }
    const unknown = await send(`${baseUrl}/`, { method: 'PURGE' });
    assert.equal(unknown.status, 405);
    assert.equal(unknown.headers.allow, undefined);
  });

  test('for probes and people', async (t) => {
    const bench = await startIngressBench(t);
    const { baseUrl, metricsUrl } = bench.ingress;
    const root = await send(`${baseUrl}/`);
    assert.deepEqual(
      [root.status, root.text, root.headers['content-type']],
      [200, 'lubdub', 'text/plain; charset=utf-8'],
    );
    const openapi = await send(`${baseUrl}/api/ingress/v1/openapi.json`);
    assert.equal(openapi.headers['content-type'], 'application/json');
    assert.equal((JSON.parse(openapi.text) as { openapi: string }).openapi, '3.0.0');
    assert.equal((await send(`${metricsUrl}/`)).text, 'lubdub');
    const metrics = await send(`${metricsUrl}/metrics`);
    assert.match(metrics.text, /^ingress_version\{commit="notrunninginopenshift",version="1\.2\.3"\} 1$/m);
    assert.match(metrics.text, /^process_cpu_user_seconds_total /m);
    if (process.platform === 'linux') assert.match(metrics.text, /^process_virtual_memory_max_bytes /m);
    assert.equal((await send(`${metricsUrl}/metrics`, { method: 'POST' })).status, 200);
    assert.equal((await send(`${metricsUrl}/nowhere`)).status, 404);
  });
});

describe('metrics', () => {
  test('count requests, sizes, answers and messages by program, not by cluster', async (t) => {
    const bench = await startIngressBench(t);
    const agent = { 'user-agent': 'insights-operator/4.19.0-abc cluster/1' };
    await upload(bench, [filePart(Buffer.alloc(20_000))], { headers: agent });
    await upload(bench, [filePart(archive, 'application/invalid')], { headers: agent });
    const useragent = 'insights-operator';
    assert.equal(await bench.metric('ingress_requests', { useragent }), 2);
    assert.equal(await bench.metric('ingress_responses', { useragent, code: '202' }), 1);
    assert.equal(await bench.metric('ingress_responses', { useragent, code: '415' }), 1);
    assert.equal(await bench.metric('ingress_message_produced', { service: 'openshift' }), 1);
    assert.equal(await bench.metric('ingress_kafka_produced', { topic: TOPIC_UPLOAD_ANNOUNCE }), 1);
    assert.equal(await bench.metric('ccx_ingress_refused_total', { code: 'CONTENT_TYPE_UNKNOWN' }), 1);
    const text = (await send(`${bench.ingress.metricsUrl}/metrics`)).text;
    assert.match(text, /ingress_payload_sizes_bucket\{le="102400",useragent="insights-operator"\} 1/);
    assert.match(text, /ingress_stage_seconds_count 1/);
  });

  test('have a bounded number of programs', async (t) => {
    const bench = await startIngressBench(t);
    for (let n = 0; n < 105; n += 1) {
      await send(`${bench.ingress.uploadUrl}?test=test`, { method: 'POST', headers: { 'user-agent': `made-up/${n}` } });
    }
    assert.equal(await bench.metric('ingress_responses', { useragent: 'made-up/99' }), 1);
    assert.equal(await bench.metric('ingress_responses', { useragent: 'other' }), 5);
  });
});

/** A form up to the first byte of its file. */
function formHead(): Buffer {
  return form([filePart('')]).subarray(0, -`\r\n--${BOUNDARY}--\r\n`.length);
}

function announcements(bus: { of(topic: string): { readonly value: unknown }[] }): Record<string, unknown>[] {
  return bus.of(TOPIC_UPLOAD_ANNOUNCE).map(({ value }) => JSON.parse(String(value)) as Record<string, unknown>);
}

function* pieces(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function textOf(stream: AsyncIterable<Buffer> | undefined): Promise<string | undefined> {
  if (stream === undefined) return undefined;
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The port's methods of an object whose methods need their `this`. */
function objectsOf(store: { [K in 'put' | 'get' | 'delete' | 'list' | 'check']: unknown }) {
  const bound = <K extends 'put' | 'get' | 'delete' | 'list' | 'check'>(name: K) =>
    (store[name] as (...args: unknown[]) => unknown).bind(store);
  return {
    put: bound('put'),
    get: bound('get'),
    delete: bound('delete'),
    list: bound('list'),
    check: bound('check'),
  } as unknown as import('../../platform/objects/object-store.ts').ObjectStore;
}
