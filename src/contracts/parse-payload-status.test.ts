/** Status messages as the services write them, as others may write them, and what is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type PayloadStatusParse, parsePayloadStatus, serializePayloadStatus } from './payload-status.ts';

function parse(document: unknown): PayloadStatusParse {
  return parsePayloadStatus(Buffer.from(typeof document === 'string' ? document : JSON.stringify(document)));
}

function received(document: unknown) {
  const parsed = parse(document);
  assert.equal(parsed.kind, 'received', JSON.stringify(document));
  return (parsed as Extract<PayloadStatusParse, { kind: 'received' }>).status;
}

function refusal(document: unknown): string {
  const parsed = parse(document);
  return parsed.kind === 'refused' ? `${parsed.error.code}: ${parsed.error.message}` : 'received';
}

const status = { service: 's', request_id: 'r', status: 'received', date: '2026-11-21T16:15:49Z' };

test("the writer's message is written member by member in the order of the reference", () => {
  const text = serializePayloadStatus({
    date: '2026-11-21T16:15:49.824983089Z',
    status: 'received',
    request_id: 'abc',
    service: 'ccx-notification-writer',
  });
  assert.equal(
    text,
    '{"service":"ccx-notification-writer","request_id":"abc","status":"received","date":"2026-11-21T16:15:49.824983089Z"}',
  );
});

test("ingress's message is written with everything it knows and read back", () => {
  const text = serializePayloadStatus({
    service: 'ingress',
    account: '0000001',
    org_id: '000001',
    request_id: '766bd49580ce4ed489ec04e35fc7edac',
    status: 'success',
    status_msg: 'Sent to validation service: openshift',
    date: '2026-11-21T16:00:03.5Z',
  });
  assert.equal(
    text,
    '{"service":"ingress","account":"0000001","org_id":"000001","request_id":"766bd49580ce4ed489ec04e35fc7edac","status":"success","status_msg":"Sent to validation service: openshift","date":"2026-11-21T16:00:03.5Z"}',
  );
  const read = received(text);
  assert.equal(read.account, '0000001');
  assert.equal(read.orgId, '000001');
  assert.equal(read.statusMessage, 'Sent to validation service: openshift');
  assert.equal(read.date.canonical, '2026-11-21T16:00:03.500000000Z');
});

test('times are taken with a blank, without a zone, with an offset', () => {
  const times: Readonly<Record<string, string>> = {
    '2026-11-21 16:15:49.5': '2026-11-21T16:15:49.500000000Z',
    '2026-11-21T16:15:49.123456': '2026-11-21T16:15:49.123456000Z',
    '2026-11-21 16:15:49+00:00': '2026-11-21T16:15:49.000000000Z',
    '2026-11-21T16:15:49.895120-05:00': '2026-11-21T21:15:49.895120000Z',
  };
  for (const [date, canonical] of Object.entries(times))
    assert.equal(received({ ...status, date }).date.canonical, canonical);
});

test('words are lower case, numbers are text, what is empty or of no use is absent', () => {
  const read = received({
    ...status,
    service: 'Puptoo',
    status: 'Processed',
    source: 'Inventory',
    account: 1,
    org_id: 0,
    inventory_id: '',
    system_id: { a: 1 },
    status_msg: null,
    extra: [1],
  });
  assert.deepEqual(
    [
      read.service,
      read.status,
      read.source,
      read.account,
      read.orgId,
      read.inventoryId,
      read.systemId,
      read.statusMessage,
    ],
    ['puptoo', 'processed', 'inventory', '1', '0', undefined, undefined, undefined],
  );
});

test('what lacks its request, service, status or time is refused', () => {
  for (const name of ['request_id', 'service', 'status', 'date'] as const) {
    assert.equal(refusal({ ...status, [name]: undefined }), `STATUS_MISSING_MEMBER: the status has no ${name}`);
    assert.equal(refusal({ ...status, [name]: '' }), `STATUS_MISSING_MEMBER: the status has no ${name}`);
  }
  assert.equal(refusal({ ...status, date: 'today' }), 'STATUS_DATE: date is not RFC 3339: today');
  for (const date of ['0000-01-01T00:00:00Z', '9999-12-31T23:59:59-01:00', '0001-01-01T00:00:00+01:00'])
    assert.match(refusal({ ...status, date }), /^STATUS_DATE/);
});

test('what is no JSON object is refused', () => {
  for (const text of ['', 'x', '[]', '1', 'null', '"a"', '{']) assert.match(refusal(text), /^STATUS_NOT_JSON/);
  assert.equal(parsePayloadStatus(null).kind, 'refused');
});

test('any bytes and any document get an answer', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => void parsePayloadStatus(Buffer.from(bytes))));
  const member = fc.constantFrom('request_id', 'service', 'status', 'date', '__proto__');
  fc.assert(fc.property(fc.dictionary(member, fc.jsonValue()), (document) => void parse(document)));
});
