/** Addresses from templates, with the reference's rules. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { moduleOfComponent } from '../../../contracts/rule-content.ts';
import { fillClusterUri, fillUri } from './uri-template.ts';

test('every placeholder is filled in one pass, and inserted text is not scanned again', () => {
  const values = { cluster_id: 'C', module: '{error_key}', error_key: '$&' };
  assert.equal(fillUri('/{cluster_id}/{module}/{error_key}/{cluster_id}', values), '/C/{error_key}/$&/C');
});

test('an unknown placeholder stays', () => {
  assert.equal(fillUri('/{other}/{__proto__}/{module}', { module: 'm' }), '/{other}/{__proto__}/m');
});

test('only the first cluster id of the cluster page is filled', () => {
  assert.equal(fillClusterUri('/{cluster_id}/{cluster_id}', '$1'), '/$1/{cluster_id}');
});

test('the module of a component is without .report', () => {
  assert.equal(moduleOfComponent('a.b.report'), 'a.b');
  assert.equal(moduleOfComponent('a.report.b'), 'a.report.b');
});
