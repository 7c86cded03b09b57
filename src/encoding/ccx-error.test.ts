/** What an error says in one line: its reason and those behind it, whatever they are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CcxError, errorText } from './ccx-error.ts';

const wrapped = (cause: unknown) =>
  errorText(new CcxError('cannot reach it', { code: 'X', category: 'connection', cause }));

test('the reasons of a name with several addresses are said, each once', () => {
  const refused = ['::1', '127.0.0.1'].map((address) => new Error(`connect ECONNREFUSED ${address}:5999`));
  assert.equal(
    wrapped(new AggregateError(refused)),
    'cannot reach it: connect ECONNREFUSED ::1:5999, connect ECONNREFUSED 127.0.0.1:5999',
  );
  assert.equal(wrapped(new AggregateError([refused[0], refused[0]])), 'cannot reach it: connect ECONNREFUSED ::1:5999');
  assert.equal(wrapped(new AggregateError(refused, 'all failed')), 'cannot reach it: all failed');
});

test('an error without a text says its code, or what it is', () => {
  assert.equal(wrapped(Object.assign(new Error(''), { code: 'ECONNREFUSED' })), 'cannot reach it: ECONNREFUSED');
  assert.equal(wrapped(new TypeError('')), 'cannot reach it: TypeError');
  assert.equal(wrapped(new AggregateError([])), 'cannot reach it: AggregateError');
  assert.equal(wrapped('text\n'), 'cannot reach it: text');
});

test('what several layers say in the same words is said once', () => {
  const layer = (cause: unknown) => new CcxError('permission denied', { code: 'X', category: 'connection', cause });
  assert.equal(wrapped(layer(layer(new Error('permission denied')))), 'cannot reach it: permission denied');
  assert.equal(wrapped(layer(new Error('no'))), 'cannot reach it: permission denied: no');
});
