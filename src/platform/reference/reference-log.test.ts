/** Log lines of the drop-in programs in both forms. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTelemetry } from '../telemetry/telemetry.ts';
import { referenceLog } from './reference-log.ts';

function capture(options: { console: boolean; colours: boolean }) {
  const lines: string[] = [];
  const destination = referenceLog({ output: { write: (text: string) => lines.push(text) }, ...options });
  return { lines, log: createTelemetry({ service: 'x', level: 'debug', destination }).log };
}

test('for programs: level, fields as given, time in seconds, message', () => {
  const { lines, log } = capture({ console: false, colours: false });
  log.info({ zeta: 1, error: 'no' }, 'done');
  log.warn({ 'Broker addresses': 'a:1' });
  assert.match(
    lines[0]!,
    /^\{"level":"info","zeta":1,"error":"no","time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ","message":"done"\}\n$/,
  );
  assert.match(lines[1]!, /^\{"level":"warn","Broker addresses":"a:1","time":"[^"]+"\}\n$/);
});

test('for people: time, level, message, fields in order with the error first, values quoted where needed', () => {
  const { lines, log } = capture({ console: true, colours: false });
  log.error({ zeta: 'two words', alpha: 1, error: 'a\nb' }, 'failed');
  assert.match(lines[0]!, /^\d{1,2}:\d\d[AP]M ERR failed error="a\\nb" alpha=1 zeta="two words"\n$/);
});

test('for people: an empty text has no quotes, and only text has any', () => {
  const { lines, log } = capture({ console: true, colours: false });
  log.info({ 'Cert path': '', List: ['a b'], Name: 'Zoë', On: true, Quoted: 'a"b' }, 'shown');
  assert.match(lines[0]!, /INF shown Cert path= List=\["a b"\] Name="Zoë" On=true Quoted="a\\"b"\n$/);
});

test('colours are for eyes and can be left out', () => {
  const { lines, log } = capture({ console: true, colours: true });
  log.debug({ a: 1 }, 'seen');
  assert.match(lines[0]!, /\u001b\[33mDBG\u001b\[0m \u001b\[1mseen\u001b\[0m \u001b\[36ma=\u001b\[0m1\n$/);
});
