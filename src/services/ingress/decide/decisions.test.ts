/** The decisions of ingress as tables; what a client sees of them is in service.test.ts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { clusterOfUserAgent } from '../../../platform/auth/authenticator.ts';
import { isTestRequest, testBodyKind } from '../pipeline.ts';
import { allowanceLeft, bodyIdleMsMax, leastBytesPerSecond } from '../request-body.ts';
import { userAgentLabel } from '../telemetry.ts';
import { nextInLine } from '../upload-slots.ts';
import { decideRange } from '../web/download-route.ts';
import { decideRequestId } from '../web/ingress-module.ts';
import { isTrackableId, mayTrack } from '../web/track-route.ts';
import { sizeLimit, uploadType } from './upload-type.ts';

test('a user agent becomes the name of a program', () => {
  for (const [userAgent, label] of [
    ['support-operator/abc cluster/123', 'support-operator'],
    ['curl/7.3.1', 'curl/7.3.1'],
    ['Foreman/1.2;insights-client/3.0.6 (Core 3.0.150; requests 2.6.0) Red Hat', 'insights-client/3.0.6 Core 3.0.150'],
    ['Satellite/6.6.2;redhat_access/2.2.8;insights-client/3.0.121', 'insights-client/3.0.121'],
    ['Satellite/6.6.2;redhat_access/2.2.8;redhat-access-insights/1.0.13', 'redhat-access-insights/1.0.13'],
    ['Core of something', 'Core of something'],
    ['insights-client', 'insights-client'],
    ['', ''],
  ] as const) {
    assert.equal(userAgentLabel(userAgent), label);
  }
});

test('a content type names service and category, in the reference’s unanchored way', () => {
  const accepted = ['openshift', 'advisor'];
  for (const [contentType, expected] of [
    ['application/vnd.redhat.openshift.periodic', ['openshift', 'periodic']],
    ['application/vnd.redhat.openshift.periodic+tar', ['openshift', 'periodic']],
    ['text/x application/vnd.redhat.advisor.a-1.b', ['advisor', 'a-1']],
    ['application/x-gzip; charset=binary', ['advisor', 'upload']],
    ['application/x-gzip', undefined],
    ['application/vnd.redhat.openshift', undefined],
    ['application/vnd.redhat.Openshift.periodic', undefined],
    ['application/vnd.redhat.other.periodic', undefined],
    ['applicationXvnd.redhat.openshift.periodic', undefined],
  ] as const) {
    const type = uploadType(contentType, accepted);
    assert.deepEqual(type === undefined ? undefined : [type.service, type.category], expected, contentType);
  }
  assert.equal(uploadType('application/gzip', ['openshift']), undefined);
});

test('an override replaces the default size, smaller or larger', () => {
  const limits = {
    defaultBytesMax: 100,
    bytesMaxByService: new Map([
      ['qpc', 150],
      ['unit', 0],
    ]),
  };
  assert.deepEqual(
    [sizeLimit('openshift', limits), sizeLimit('qpc', limits), sizeLimit('unit', limits), sizeLimit(undefined, limits)],
    [100, 150, 0, 100],
  );
});

test('a request id is taken as it is, or refused', () => {
  for (const [header, expected] of [
    [undefined, 'absent'],
    ['', 'absent'],
    ['abc', 'abc'],
    ['a/b c%~', 'a/b c%~'],
    ['1'.repeat(128), '1'.repeat(128)],
    ['1'.repeat(129), 'refused'],
    ['a\nb', 'refused'],
    ['a\u007f', 'refused'],
    ['ä', 'refused'],
    ['-/-', 'refused'],
    ['outbox/1', 'refused'],
    ['ingress/signingkey1', 'refused'],
  ] as const) {
    const decision = decideRequestId(header);
    assert.equal(decision.kind === 'given' ? decision.id : decision.kind, expected, JSON.stringify(header));
  }
});

test('a test request is one by the first value', () => {
  for (const [contentType, body, query, expected] of [
    ['application/json', '{"test":"test"}', '', true],
    ['application/json', 'x{ "test" :\n"test" }y', '', true],
    ['application/json', '{"test":"test","a":1}', '', false],
    ['application/json', '{}', 'test=test', true],
    ['application/json;charset=utf-8', '{"test":"test"}', '', false],
    ['application/x-www-form-urlencoded; charset=x', 'test=test', '', true],
    ['application/x-www-form-urlencoded', '', 'test=test', true],
    ['application/x-www-form-urlencoded', 'test=', 'test=test', false],
    [undefined, '', 'test=foo&test=test', false],
    [undefined, '', 'test=test&test=foo', true],
  ] as const) {
    assert.equal(
      isTestRequest(testBodyKind(contentType), { body, query }),
      expected,
      `${contentType} ${body} ${query}`,
    );
  }
});

test('an operator names its cluster', () => {
  const cluster = '84ef291d-8f1b-4d28-ab34-cfddff941b84';
  for (const [userAgent, expected] of [
    [`insights-operator/4.19.0-abc cluster/${cluster}`, cluster],
    [`cost-mgmt-operator/1 cluster/${cluster.toUpperCase()}`, cluster],
    [`insights-operator/4.19.0-abc cluster/${cluster} more`, undefined],
    [`insights-operator/ cluster/${cluster}`, undefined],
    [`x insights-operator/1 cluster/${cluster}`, undefined],
    ['insights-operator/1 cluster/1', undefined],
    ['', undefined],
  ] as const) {
    assert.equal(clusterOfUserAgent(userAgent), expected, userAgent);
  }
});

test('nobody tracks what is nobody’s', () => {
  const nobody = { type: 'X509', orgId: '', x509SubjectDn: '' };
  assert.equal(mayTrack(nobody, '', []), false);
  assert.equal(mayTrack(nobody, undefined, ['x']), false);
  assert.equal(mayTrack({ ...nobody, x509SubjectDn: 'CN=x, O=y=x' }, '7', ['x']), true);
  assert.equal(mayTrack({ ...nobody, orgId: '7' }, 7, []), false, 'a number is no organization');
  assert.equal(isTrackableId('766bd495-80ce4ed4-89ec-04e35fc7edac'), false);
});

test('a range lies within the file, whatever is asked for', () => {
  fc.assert(
    fc.property(
      fc.option(fc.nat(30), { nil: undefined }),
      fc.option(fc.nat(30), { nil: undefined }),
      fc.nat(20),
      (from, to, size) => {
        const decision = decideRange(`bytes=${from ?? ''}-${to ?? ''}`, size);
        if (decision.kind !== 'part') return;
        assert.ok(decision.start >= 0 && decision.start <= decision.endInclusive && decision.endInclusive < size);
      },
    ),
  );
});

describe('the patience with a client', () => {
  for (const [title, allowanceMs, waitedMs, arrivedBytes, left] of [
    ['is used up by waiting', 5_000, 5_000, 0, 0],
    ['stays as it is at the least rate', 5_000, 1_000, leastBytesPerSecond, 5_000],
    ['is not saved by a byte a second', 5_000, 5_125, 64, -62.5],
    ['grows with what comes faster', 5_000, 1_000, 3 * leastBytesPerSecond, 7_000],
    ['grows up to its most', 5_000, 0, 1_000_000, bodyIdleMsMax],
  ] as const) {
    test(title, () => assert.equal(allowanceLeft(allowanceMs, { waitedMs, arrivedBytes }), left));
  }
});

describe('the next in line for a slot', () => {
  const line = (text: string) => [...text].map((orgId, place) => ({ orgId, place }));
  const next = (waiting: string, slots: Readonly<Record<string, number>> = {}) =>
    nextInLine(line(waiting), (orgId) => slots[orgId] ?? 0)?.place;
  test('is the first of the organization that has the fewest', () => {
    assert.equal(next(''), undefined);
    assert.equal(next('aab'), 0);
    assert.equal(next('aab', { a: 3, b: 1 }), 2);
    assert.equal(next('aab', { a: 1, b: 1 }), 0);
    assert.equal(next('aabc', { a: 3, b: 1 }), 3);
    assert.equal(next('aaa', { a: 64 }), 0, 'nobody is kept out where nobody else waits');
  });
});
