/** Which logs of a pod are looked at, and that lines are found wherever they are without reading the log as a whole. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createArchiveView } from '../archive-view.ts';
import { lastLinesWith, lineCharactersMax, logBytesMax, logHolds, podLogs } from './logs.ts';

const viewOf = (files: Readonly<Record<string, string | Buffer>>) =>
  createArchiveView(new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)])));
const linesOf = (text: string | Buffer, wanted: string, linesMax = 10) =>
  lastLinesWith(viewOf({ 'a.log': text }), 'a.log', wanted, linesMax);

test('the current logs of a pod are found in all three places', () => {
  const current = [
    'conditional/namespaces/ns/pods/pod-1/containers/c/logs/last-100-lines.log',
    'config/pod/ns/logs/pod-1/c_current.log',
    'config/pod/ns/logs/pod-1/errors.log',
    'namespaces/ns/pods/pod-1/c/current.log',
  ];
  const others = [
    'conditional/namespaces/ns/pods/pod-1/containers/c/logs-previous/last-20-lines.log',
    'conditional/namespaces/ns/pods/pod-1/pod-1.json',
    'config/pod/ns/logs/other/errors.log',
    'config/pod/ns/logs/pod-1/c_previous.log',
    'config/pod/ns2/logs/pod-1/errors.log',
    'namespaces/ns/pods/pod-1/c/previous.log',
  ];
  const view = viewOf(Object.fromEntries([...current, ...others].map((path) => [path, ''])));
  assert.deepEqual([...podLogs(view, 'ns', 'pod-')].sort(), current);
  assert.deepEqual(podLogs(view, 'absent', 'pod-'), []);
});

test('lines come last first, each once, with and without a newline at the end', () => {
  assert.deepEqual(linesOf('x 1\ny 2\nx 3\n', 'x'), ['x 3', 'x 1']);
  assert.deepEqual(linesOf('x 1\r\n\n\nx x x', 'x'), ['x x x', 'x 1']);
  assert.deepEqual(linesOf('x', 'x'), ['x']);
  assert.deepEqual(linesOf('\nx', 'x'), ['x']);
  assert.deepEqual(linesOf('', 'x'), []);
  assert.deepEqual(linesOf('y\n', 'x'), []);
  assert.deepEqual(lastLinesWith(viewOf({}), 'a.log', 'x', 10), []);
});

test('as many lines as are asked for, and of each as many characters as are kept', () => {
  assert.deepEqual(linesOf('x 1\nx 2\nx 3\n', 'x', 2), ['x 3', 'x 2']);
  assert.equal(linesOf(`x${'é'.repeat(lineCharactersMax)}`, 'x')[0]?.length, lineCharactersMax);
  assert.deepEqual(linesOf(`x${'y'.repeat(lineCharactersMax - 1)}`, 'x')[0]?.length, lineCharactersMax);
});

test('bytes that are no text do no harm', () => {
  const [line] = linesOf(Buffer.from([0xff, 0x78, 0x00, 0x0a, 0xfe]), 'x');
  assert.equal(line, '\uFFFDx\u0000');
});

test('of a large log only the end is searched', () => {
  const log = (tail: number) => Buffer.concat([Buffer.from('needle\n'), Buffer.alloc(tail, '.')]);
  const found = (tail: number) => logHolds(viewOf({ 'a.log': log(tail) }), 'a.log', 'needle');
  assert.equal(found(logBytesMax - 7), true);
  assert.equal(found(logBytesMax - 6), false);
  assert.deepEqual(linesOf(log(logBytesMax), 'needle'), []);
  assert.equal(logHolds(viewOf({}), 'a.log', 'needle'), false);
});
