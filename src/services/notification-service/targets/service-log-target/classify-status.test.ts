/** The status table of consumers.md 2.3, over all codes: what is not named here is asserted to be the rest. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classifyStatus, type StatusMeaning } from './deliver-entry.ts';

const named: Readonly<Record<number, StatusMeaning>> = {
  201: 'created',
  401: 'unauthorized',
  402: 'refused',
  403: 'refused',
  404: 'recipient-unknown',
  405: 'refused',
  406: 'refused',
  407: 'refused',
  408: 'ambiguous',
  409: 'ambiguous',
  410: 'recipient-unknown',
  411: 'refused',
  415: 'refused',
  417: 'refused',
  421: 'refused',
  425: 'not-accepted',
  426: 'refused',
  429: 'limited',
  431: 'refused',
  503: 'not-accepted',
  511: 'refused',
};

function rest(status: number): StatusMeaning {
  if (status < 300) return 'ambiguous';
  if (status < 400) return 'refused';
  return status < 500 ? 'rejected' : 'ambiguous';
}

for (let status = 100; status <= 599; status += 1) {
  const expected = named[status] ?? rest(status);
  test(`${status} is ${expected}`, () => assert.equal(classifyStatus(status, true), expected));
}

test('a missing address without the API’s own error document is not the entry’s fault', () => {
  assert.equal(classifyStatus(404, false), 'refused');
  assert.equal(classifyStatus(410, false), 'refused');
});

test('who the body is from changes nothing else', () => {
  for (let status = 100; status <= 599; status += 1) {
    if (status !== 404 && status !== 410) assert.equal(classifyStatus(status, false), classifyStatus(status, true));
  }
});
