/**
 * `ccx notifier` as a process whose Service Log credentials lie in a real OpenBao behind TLS: they are rotated, the OpenBao is sealed,
 * killed and not there yet, and every notification arrives, or a run says what it lacks (consumers.md 3, G21, G22).
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { OpenBao } from '../../scripts/engines/start-openbao.ts';
import { clientId } from '../../src/all-in-one/stand-ins/token-endpoint/fake-token-endpoint.ts';
import { makeAppRole, prepareOpenBao, putSecret, startTestOpenBao, tokensOf } from '../support/openbao.ts';
import { until } from '../support/until.ts';
import { type NotifierUnderFault, withNotifier } from './notifier-under-fault.ts';

const clusterOf = (number: number) => `fa11ed00-0000-4000-8000-${String(number).padStart(12, '0')}`;
const told = (...numbers: readonly number[]) =>
  numbers.map((number) => ({ cluster: clusterOf(number), findings: ['CRITICAL'], targets: [2] }));
/** Only a failing test waits so long. */
const exitMsMax = 60_000;

describe('credentials in a Vault', () => {
  let bao: OpenBao;
  let roleId: string;
  let secretId: string;
  before(async () => {
    bao = await startTestOpenBao({ tls: true });
    await prepareOpenBao(bao);
    ({ roleId, secretId } = await makeAppRole(bao, 'notifier', { token_ttl: '20m' }));
  });
  after(async () => {
    assert.deepEqual(await tokensOf(bao, 'notifier'), [], 'who stops leaves no token behind');
  });

  const settings = (address = bao.url) => ({
    env: {
      SERVICE_LOG__CLIENT_ID: 'vault:notifications/service-log#id',
      SERVICE_LOG__CLIENT_SECRET: 'vault:notifications/service-log#secret',
      VAULT__ADDRESS: address,
      VAULT__CA_FILE: join(bao.certificates, 'ca.pem'),
      VAULT__AUTH: 'approle',
      VAULT__ROLE_ID: roleId,
      VAULT__SECRET_ID: secretId,
    },
  });
  /** Of the token service; in the Vault as well unless it is late. */
  const rotate = async ({ tokens }: NotifierUnderFault, secret: string, late = false) => {
    tokens.behaviour.clientSecret = secret;
    if (!late) await putSecret(bao, 'notifications/service-log', { id: clientId, secret });
  };

  test('G21, G22: rotated, late, sealed, killed and back while the notifier follows: each notification arrives, without a restart', () =>
    withNotifier({}, async (notifier) => {
      const { serviceLog } = notifier;
      /** The token that it has is refused, so that it must ask for another with its credentials. */
      const tell = async (number: number) => {
        serviceLog.inject('post', { kind: 'status', status: 401 });
        await notifier.store(clusterOf(number), 'CRITICAL');
        await until(() => serviceLog.entries().length === number + 1);
      };
      await rotate(notifier, 'first-secret');
      const process = notifier.start({ follows: true, ...settings() });
      await tell(0);
      await rotate(notifier, 'second-secret');
      await tell(1);

      await rotate(notifier, 'third-secret', true);
      serviceLog.inject('post', { kind: 'status', status: 401 });
      await notifier.store(clusterOf(2), 'CRITICAL');
      await process.waitForOutput(/TOKEN_REFUSED/, exitMsMax);
      await rotate(notifier, 'third-secret');
      await notifier.endWaits();
      await until(() => serviceLog.entries().length === 3);

      await bao.seal();
      await tell(3);
      await process.waitForOutput(/VAULT_SEALED/, exitMsMax);
      await bao.kill();
      await tell(4);
      await process.waitForOutput(/VAULT_UNREACHABLE/, exitMsMax);
      await bao.start();
      await bao.unseal();
      await rotate(notifier, 'fourth-secret');
      await tell(5);

      process.kill('SIGTERM');
      assert.equal((await process.exited(exitMsMax)).code, 0);
      assert.doesNotMatch(process.stdout() + process.stderr(), /(first|second|third|fourth)-secret/);
      assert.equal((process.stdout() + process.stderr()).includes(secretId), false);
      assert.deepEqual(await notifier.complaints({ told: told(0, 1, 2, 3, 4, 5) }), []);
    }));

  test('G22: user and password of the database are rotated while the notifier follows, and the next connection takes them', () =>
    withNotifier({}, async (notifier) => {
      await rotate(notifier, 'secret-of-the-client');
      const { database, serviceLog } = notifier;
      const direct = new URL(notifier.databaseUrl);
      const user = `role_${randomUUID().replaceAll('-', '')}`;
      await database.query(`CREATE ROLE ${user} LOGIN SUPERUSER`);
      const rotateLogin = async (password: string) => {
        const url = new URL(direct);
        url.username = user;
        url.password = password;
        await database.query(`ALTER ROLE ${user} PASSWORD '${password}'`);
        await putSecret(bao, 'notifications/database', { url: url.href, password });
        await database.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1', [user]);
      };
      await rotateLogin('password-one');
      const { env } = settings();
      const parts = {
        STORAGE__PG_USERNAME: user,
        STORAGE__PG_PASSWORD: 'vault:notifications/database#password',
        STORAGE__PG_HOST: direct.hostname,
        STORAGE__PG_PORT: direct.port,
        STORAGE__PG_DB_NAME: direct.pathname.slice(1),
      };
      const process = notifier.start({ follows: true, databaseUrl: '', env: { ...env, ...parts } });
      await notifier.store(clusterOf(0), 'CRITICAL');
      await until(() => serviceLog.entries().length === 1);
      await rotateLogin('password-two');
      await notifier.store(clusterOf(1), 'CRITICAL');
      await until(() => serviceLog.entries().length === 2);
      process.kill('SIGTERM');
      assert.equal((await process.exited(exitMsMax)).code, 0);
      assert.doesNotMatch(process.stdout() + process.stderr(), /password-(one|two)/);

      await notifier.store(clusterOf(2), 'CRITICAL');
      const whole = await notifier.run({ databaseUrl: 'vault:notifications/database#url', env });
      assert.equal(whole.code, 0, whole.output);
      const missing = await notifier.run({ databaseUrl: 'vault:notifications/database#uri', env });
      assert.notEqual(missing.code, 0);
      assert.match(missing.output, /VAULT_FIELD/);
      assert.match(missing.output, /CCX_DATABASE_URL/);
      assert.deepEqual(await notifier.complaints({ told: told(0, 1, 2) }), []);
      await database.query(`DROP ROLE ${user}`);
    }));

  test('G21: a run says what it lacks and ends with 11, nothing is posted; a notifier that follows waits for a Vault that is sealed', () =>
    withNotifier({}, async (notifier) => {
      await rotate(notifier, 'secret-of-the-client');
      await notifier.store(clusterOf(0), 'CRITICAL');
      const fails = async (how: ReturnType<typeof settings>, ...said: readonly RegExp[]) => {
        const { code, output } = await notifier.run(how);
        assert.equal(code, 11, output);
        for (const pattern of said) assert.match(output, pattern);
        assert.doesNotMatch(output, /secret-of-the-client/);
      };
      const wrong = (changes: Readonly<Record<string, string>>) => ({
        ...settings(),
        env: { ...settings().env, ...changes },
      });
      await fails(wrong({ VAULT__ROLE_ID: 'nobody' }), /VAULT_LOGIN/, /vault\.role_id/);
      await fails(wrong({ VAULT__MOUNT: 'elsewhere' }), /VAULT_FORBIDDEN/, /vault\.mount/);
      await fails(wrong({ VAULT__CA_FILE: join(bao.certificates, 'other-ca.pem') }), /VAULT_TLS/, /vault\.ca_file/);
      await fails(settings('https://127.0.0.1:9'), /VAULT_UNREACHABLE/, /vault\.address/);
      await bao.seal();
      await fails(settings(), /VAULT_SEALED/, /SERVICE_LOG__CLIENT_(ID|SECRET) cannot be read/, /unseal Vault/);
      assert.equal(notifier.posts(), 0);

      const process = notifier.start({ follows: true, ...settings() });
      await process.waitForOutput(/VAULT_SEALED/, exitMsMax);
      await bao.unseal();
      await notifier.endWaits();
      await until(() => notifier.serviceLog.entries().length === 1);
      process.kill('SIGTERM');
      assert.equal((await process.exited(exitMsMax)).code, 0);
      assert.deepEqual(await notifier.complaints({ told: told(0) }), []);
    }));
});
