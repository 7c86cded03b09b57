/** Each command line of the table ends with the code that the table, and with it `docs/compatibility.md`, gives it, and reports a failure once. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  type FakeTokenEndpoint,
  startFakeTokenEndpoint,
} from '../../src/all-in-one/stand-ins/token-endpoint/fake-token-endpoint.ts';
import { encodeRuleContent } from '../../src/contracts/rule-content-gob.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { baseEnvironment } from '../support/base-environment.ts';
import { settingsOf, storageSettings } from '../support/drop-in-program.ts';
import { contentOf } from '../support/notification-content.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { type CommandLine, commandLines } from './command-lines.ts';
import type { RunAnswer, RunRequest } from './run-command-lines.ts';

const script = fileURLToPath(new URL('./run-command-lines.ts', import.meta.url));
const folder = temporaryFolder();
const databases = new Map<string, TestDatabase>();
let content: Server;
let tokens: FakeTokenEndpoint;
let answers: readonly RunAnswer[];

before(async () => {
  content = createServer((_request, response) =>
    response.end(encodeRuleContent(contentOf({ TEST_RULE_CRITICAL_IMPACT: { risk: 4, tags: [] } }))),
  );
  await new Promise<void>((resolve) => content.listen(0, '127.0.0.1', resolve));
  tokens = await startFakeTokenEndpoint(createSystemClock());
  const requests: RunRequest[] = [];
  for (const [index, line] of commandLines.entries()) requests.push(await requestOf(line, index));
  answers = await runAll(requests);
});
after(async () => {
  content.closeAllConnections();
  content.close();
  await tokens.stop();
  await Promise.all([...databases.values()].map((database) => database.drop()));
});

/** The writer changes its database, so that each of its lines has one; those of the service share two, unless they want a report in it. */
async function databaseOf(line: CommandLine, index: number): Promise<TestDatabase> {
  const empty = line.database === 'empty';
  const works = line.database !== 'away' && line.args.some((arg) => /-(db|migrate|clean|trunc)/.test(arg));
  const own = line.newIssue === true || (line.program === 'ccx-notification-writer' && works);
  const key = own ? `line ${index}` : `shared ${empty}`;
  const database = databases.get(key) ?? (await createTestDatabase({ migrated: !empty }));
  databases.set(key, database);
  if (line.newIssue === true) {
    const reports = [
      { type: 'rule', component: 'rules.test_rule.report', key: 'TEST_RULE_CRITICAL_IMPACT', details: {} },
    ];
    await database.database.query(
      `INSERT INTO new_reports VALUES (1, 1, '5d5892d4-1f74-4ccf-91af-548dfc9767aa', $1, now() AT TIME ZONE 'UTC', 0)`,
      [JSON.stringify({ reports })],
    );
  }
  return database;
}

/** With the settings of a plain installation whose only target is Service Log, and those of the line. */
async function requestOf(line: CommandLine, index: number): Promise<RunRequest> {
  const storage = {
    ...storageSettings((await databaseOf(line, index)).url),
    ...(line.database === 'away' ? { STORAGE__PG_PORT: '1' } : {}),
  };
  const target = {
    SERVICE_LOG__ENABLED: 'true',
    SERVICE_LOG__CLIENT_ID: 'CLIENT_ID',
    SERVICE_LOG__CLIENT_SECRET: 'CLIENT_SECRET',
    SERVICE_LOG__URL: 'http://127.0.0.1:1/',
    SERVICE_LOG__TOKEN_URL: tokens.tokenUrl,
    KAFKA_BROKER__TOPIC: 'platform.notifications.ingress',
    DEPENDENCIES__CONTENT_SERVER: `http://127.0.0.1:${(content.address() as AddressInfo).port}/`,
    CLEANER__MAX_AGE: '90 days',
  };
  const settings = {
    ...storage,
    ...(line.program === 'ccx-notification-service' ? target : {}),
    ...line.settings,
  };
  const env = Object.entries(settings).filter((setting): setting is [string, string] => setting[1] !== undefined);
  return {
    program: line.program,
    args: line.args,
    env: { ...settingsOf(line.program, Object.fromEntries(env)), ...line.env },
  };
}

/** Some lines only wait, up to a minute, for something that is away. */
const processes = 4;

/** Each process takes every so-manieth line. */
async function runAll(requests: readonly RunRequest[]): Promise<readonly RunAnswer[]> {
  const shares = Array.from({ length: processes }, (_, share) => requests.filter((_, at) => at % processes === share));
  const answered = await Promise.all(shares.map(runShare));
  return requests.map((_, at) => answered[at % processes]![Math.floor(at / processes)]!);
}

async function runShare(requests: readonly RunRequest[], share: number): Promise<readonly RunAnswer[]> {
  const files = ['requests', 'answers'].map((name) => join(folder, `${name}-${share}.json`)) as [string, string];
  writeFileSync(files[0], JSON.stringify(requests));
  const child = spawn(process.execPath, [script, ...files], { cwd: folder, env: baseEnvironment(), stdio: 'inherit' });
  assert.deepEqual(await once(child, 'exit'), [0, null]);
  return JSON.parse(readFileSync(files[1], 'utf8')) as readonly RunAnswer[];
}

describe('a command line', () => {
  commandLines.forEach((line, index) => {
    const given = [line.given, line.database === undefined ? undefined : `database ${line.database}`].filter(Boolean);
    const name = `${line.program} ${line.args.join(' ')} (${given.join(', ')})`;
    test(`${line.defect === undefined ? '' : `${line.defect}: `}${name} ends with ${line.ends}`, () => {
      const { code, output } = answers[index]!;
      assert.equal(code, line.ends, output);
      if (line.says !== undefined) assert.match(output, line.says);
      assert.doesNotMatch(output, /^ccx: /m, 'records only');
      const failures = output.split('\n').filter((text) => text.includes('"level":"error"'));
      // Kafka's check says it of each of two brokers and then of all, as the reference does.
      const ofUsage = code === 2 && output.includes('Usage of');
      const expected = code === 0 || ofUsage ? 0 : line.args.includes('--check-kafka') ? 3 : 1;
      assert.equal(failures.length, line.newIssue === true ? 1 : expected, output);
      for (const failure of failures) assert.doesNotMatch(failure, /:\d+: "|: ",/, 'a reason is never empty');
    });
  });
});

test('a line whose codes differ says why, and only such a line', () => {
  for (const { program, args, ends, reference, why } of commandLines)
    assert.equal(why !== undefined, ends !== reference, `${program} ${args.join(' ')}`);
});
