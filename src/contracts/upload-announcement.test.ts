/** The announcement as ingress writes it and as the data pipeline reads it, and the metadata in it. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { encodeIdentity } from './identity.ts';
import {
  parseUploadAnnouncement,
  serializeUploadAnnouncement,
  type UploadAnnouncement,
} from './upload-announcement.ts';
import { absentMetadata, decodeUploadMetadata } from './upload-metadata.ts';

const identity = encodeIdentity({
  identity: {
    type: 'System',
    account_number: '1',
    org_id: '1',
    internal: { org_id: '1' },
    system: { cluster_id: 'from-identity' },
  },
});

const announcement: UploadAnnouncement = {
  account: '0000001',
  category: 'periodic',
  content_type: 'application/vnd.redhat.openshift.periodic',
  metadata: {
    custom_metadata: { gathering_time: '2026-11-21T16:00:00Z' },
    reporter: 'ingress',
    stale_timestamp: '2026-12-21T16:00:03.5Z',
  },
  request_id: '766bd49580ce4ed489ec04e35fc7edac',
  principal: '000001',
  org_id: '000001',
  service: 'openshift',
  size: 92904,
  url: 'http://minio:9000/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=86400',
  b64_identity: identity,
  timestamp: '2026-11-21T16:00:03.512345Z',
};

describe('an announcement', () => {
  test('is written with its members in order and as Go escapes them', () => {
    const text = serializeUploadAnnouncement(announcement);
    assert.deepEqual(Object.keys(JSON.parse(text)), [
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
    assert.ok(text.includes('SHA256\\u0026X-Amz'));
    assert.deepEqual(JSON.parse(text), announcement);
  });

  test('is read as it was written', () => {
    const parse = parseUploadAnnouncement(Buffer.from(serializeUploadAnnouncement(announcement)));
    assert.ok(parse.kind === 'received');
    assert.equal(parse.announcement.url, announcement.url);
    assert.equal(parse.announcement.timestamp, announcement.timestamp);
    assert.equal(parse.announcement.request_id, announcement.request_id);
    assert.equal(parse.announcement.size, announcement.size);
    assert.equal(parse.announcement.cluster_name, 'from-identity');
    assert.equal(parse.announcement.identity.identity.internal.org_id, '1');
    assert.equal(parse.announcement.metadata?.custom_metadata?.['gathering_time'], '2026-11-21T16:00:00Z');
  });

  const required = { url: 'http://x/', timestamp: 't', b64_identity: identity };
  test('needs three texts and nothing else', () => {
    const parse = parseUploadAnnouncement(Buffer.from(JSON.stringify(required)));
    assert.ok(parse.kind === 'received');
    assert.deepEqual(Object.keys(parse.announcement).sort(), ['cluster_name', 'identity', 'timestamp', 'url']);
  });

  test('names its cluster itself before its identity does', () => {
    const cluster = (extra: object) => {
      const parse = parseUploadAnnouncement(Buffer.from(JSON.stringify({ ...required, ...extra })));
      assert.ok(parse.kind === 'received');
      return parse.announcement.cluster_name;
    };
    assert.equal(cluster({ cluster_name: 'own' }), 'own');
    assert.equal(cluster({ cluster_name: '' }), 'from-identity');
    const without = encodeIdentity({ identity: { internal: { org_id: '1' } } });
    assert.equal(cluster({ b64_identity: without }), null);
    const odd = Buffer.from('{"identity":{"internal":{"org_id":"1"},"system":"x"}}').toString('base64');
    assert.equal(cluster({ b64_identity: odd }), null);
  });

  test('may hold anything in the members that are of no concern', () => {
    const parse = parseUploadAnnouncement(
      Buffer.from(JSON.stringify({ ...required, request_id: 1, size: '1', metadata: 'x', cluster_name: {} })),
    );
    assert.ok(parse.kind === 'received');
    assert.equal(parse.announcement.request_id, undefined);
    assert.equal(parse.announcement.size, undefined);
    assert.equal(parse.announcement.metadata, undefined);
  });

  const messages = {
    ANNOUNCEMENT_MISSING: 'No incoming message',
    ANNOUNCEMENT_EMPTY: 'Unable to read incoming message',
    ANNOUNCEMENT_NOT_JSON: 'Unable to decode received message',
    ANNOUNCEMENT_SCHEMA: 'Invalid input message JSON schema',
    IDENTITY_NOT_BASE64: 'Base64 encoded identity could not be parsed',
  };
  const changed = (change: object) => Buffer.from(JSON.stringify({ ...required, ...change }));
  const refusals: readonly (readonly [title: string, value: Buffer | null, code: keyof typeof messages])[] = [
    ['a tombstone', null, 'ANNOUNCEMENT_MISSING'],
    ['nothing', Buffer.alloc(0), 'ANNOUNCEMENT_EMPTY'],
    ['no JSON', Buffer.from('{'), 'ANNOUNCEMENT_NOT_JSON'],
    ['invalid UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'ANNOUNCEMENT_NOT_JSON'],
    ['a list', Buffer.from('[]'), 'ANNOUNCEMENT_SCHEMA'],
    ['no url', changed({ url: undefined }), 'ANNOUNCEMENT_SCHEMA'],
    ['a number for the url', changed({ url: 1 }), 'ANNOUNCEMENT_SCHEMA'],
    ['no time', changed({ timestamp: undefined }), 'ANNOUNCEMENT_SCHEMA'],
    ['no identity', changed({ b64_identity: undefined }), 'ANNOUNCEMENT_SCHEMA'],
    ['a number for the time', changed({ timestamp: 1 }), 'ANNOUNCEMENT_SCHEMA'],
    ['null for the identity', changed({ b64_identity: null }), 'ANNOUNCEMENT_SCHEMA'],
    ['a bad identity', changed({ b64_identity: 'YWJ' }), 'IDENTITY_NOT_BASE64'],
  ];
  for (const [title, value, code] of refusals) {
    test(`is refused if it is ${title}: ${code}`, () => {
      const parse = parseUploadAnnouncement(value);
      assert.ok(parse.kind === 'refused');
      assert.deepEqual([parse.error.code, parse.error.message], [code, messages[code]]);
    });
  }

  test('of any content is read or refused, without throwing', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (value) => {
          parseUploadAnnouncement(Buffer.from(value));
        },
      ),
    );
  });

  const fixture = new URL('../../../shared/data/messages/platform-upload-announce.json', import.meta.url);
  test('of the hosted ingress is read', { skip: existsSync(fixture) ? false : '../shared/data is absent' }, () => {
    const parse = parseUploadAnnouncement(readFileSync(fixture));
    assert.ok(parse.kind === 'received');
    assert.equal(parse.announcement.identity.identity.internal.org_id, '123456');
    assert.equal(parse.announcement.identity.identity.account_number, '789000');
  });
});

describe('upload metadata', () => {
  const nowMicros = 1_795_276_803_500_000n;
  const decode = (document: unknown) =>
    decodeUploadMetadata(Buffer.from(typeof document === 'string' ? document : JSON.stringify(document)), nowMicros);

  test('is announced in the order of the contract, with reporter and time of our own', () => {
    const decoding = decode({
      queue_key: 'q',
      custom_metadata: { b: '2', a: '1' },
      REPORTER: 'me',
      stale_timestamp: '2020-01-01T00:00:00Z',
      ip_addresses: ['127.0.0.1'],
      unknown: 1,
    });
    assert.ok(decoding.kind === 'decoded');
    assert.equal(
      JSON.stringify(decoding.metadata),
      '{"ip_addresses":["127.0.0.1"],"custom_metadata":{"a":"1","b":"2"},"reporter":"ingress","stale_timestamp":"2026-12-21T16:00:03.5Z","queue_key":"q"}',
    );
  });

  test('leaves out what is empty', () => {
    const decoding = decode({ fqdn: '', mac_addresses: [], custom_metadata: {}, account: null });
    assert.ok(decoding.kind === 'decoded');
    assert.deepEqual(Object.keys(decoding.metadata), ['reporter', 'stale_timestamp']);
  });

  test('keeps hostile names of custom metadata as names', () => {
    const decoding = decode('{"custom_metadata":{"__proto__":"x","constructor":"y"}}');
    assert.ok(decoding.kind === 'decoded');
    assert.deepEqual(Object.entries(decoding.metadata.custom_metadata ?? {}), [
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
  });

  test('may have a time as Go writes none but reads it', () => {
    for (const time of ['16:00:00,5Z', '6:00:00Z', '16:00:00+24:60', '16:00:00,123456789012Z'])
      assert.equal(decode({ stale_timestamp: `2026-11-21T${time}` }).kind, 'decoded', time);
    for (const time of ['16:00:00+24:61', '16:00:00.Z', '16:00:60Z', '24:00:00Z'])
      assert.equal(decode({ stale_timestamp: `2026-11-21T${time}` }).kind, 'discarded', time);
  });

  test('is discarded as a whole for one bad member', () => {
    for (const document of [
      '',
      'x',
      '[]',
      { custom_metadata: { n: 1 } },
      { stale_timestamp: '2020-01-01 00:00:00Z' },
      { stale_timestamp: 1 },
      { ip_addresses: 'x' },
      { ip_addresses: [1] },
      { account: 1 },
    ]) {
      assert.equal(decode(document).kind, 'discarded', JSON.stringify(document));
    }
  });

  test('that is absent is announced as Go’s zero values', () => {
    assert.equal(JSON.stringify(absentMetadata), '{"reporter":"","stale_timestamp":"0001-01-01T00:00:00Z"}');
  });
});
