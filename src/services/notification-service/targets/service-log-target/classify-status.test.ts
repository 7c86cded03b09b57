/** The status table of consumers.md 2.3, over all codes: what is not named here is asserted to be the rest. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classifyStatus, type StatusMeaning } from './classify-status.ts';

const named: Readonly<Record<number, StatusMeaning>> = {
  201: 'created',
  401: 'unauthorized',
  402: 'target-refused',
  403: 'target-refused',
  404: 'rejected',
  405: 'target-refused',
  406: 'target-refused',
  407: 'target-refused',
  408: 'ambiguous',
  409: 'ambiguous',
  410: 'rejected',
  411: 'target-refused',
  415: 'target-refused',
  417: 'target-refused',
  421: 'target-refused',
  425: 'not-accepted',
  426: 'target-refused',
  429: 'limited',
  431: 'target-refused',
  503: 'not-accepted',
  511: 'target-refused',
};

function rest(status: number): StatusMeaning {
  if (status < 300) return 'ambiguous';
  if (status < 400) return 'target-refused';
  return status < 500 ? 'rejected' : 'ambiguous';
}

for (let status = 100; status <= 599; status += 1) {
  const expected = named[status] ?? rest(status);
  test(`${status} is ${expected}`, () => assert.equal(classifyStatus(status, true), expected));
}

test('a missing address without the API’s own error document is not the entry’s fault', () => {
  assert.equal(classifyStatus(404, false), 'target-refused');
  assert.equal(classifyStatus(410, false), 'target-refused');
});

test('who the body is from changes nothing else', () => {
  for (let status = 100; status <= 599; status += 1) {
    if (status !== 404 && status !== 410) assert.equal(classifyStatus(status, false), classifyStatus(status, true));
  }
});
