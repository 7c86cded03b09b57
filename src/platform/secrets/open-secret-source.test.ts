/** Secrets from constants, files and Vault: rotation, outages, and that no value is ever told. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { Writable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { type FakeVault, type FakeVaultOptions, startFakeVault } from '../../../test/support/fake-vault.ts';
import { temporaryFile } from '../../../test/support/temporary-folder.ts';
import { createWatchedClock } from '../../../test/support/watched-clock.ts';
import { type CcxError, errorText } from '../../encoding/ccx-error.ts';
import { createTelemetry } from '../telemetry/telemetry.ts';
import { openSecretSource } from './open-secret-source.ts';
import { vaultRefreshMs } from './secret-source.ts';
import { vaultOutageMs } from './vault/vault-secrets.ts';
import type { VaultAuth, VaultSettings } from './vault/vault-settings.ts';

type Extras = Omit<FakeVaultOptions, 'clock'>;

/** A fake Vault, a source that uses it and everything that the source logs. */
async function setUp(t: TestContext, extras: Extras = {}, auth?: (vault: FakeVault) => VaultAuth) {
  const clock = createWatchedClock();
  const vault = await startFakeVault({ clock, ...extras });
  let logged = '';
  const destination = new Writable({
    write(chunk, _encoding, done) {
      logged += String(chunk);
      done();
    },
  });
  const settings: VaultSettings = {
    address: vault.url,
    namespace: '',
    mount: 'secret',
    kvVersion: extras.kvVersion ?? 2,
    auth: auth?.(vault) ?? { kind: 'token', token: { text: vault.issueToken() } },
  };
  const telemetry = createTelemetry({ service: 'test', level: 'debug', destination });
  const source = openSecretSource({ vault: settings, clock, telemetry });
  t.after(async () => {
    await source.close();
    await vault.stop();
  });
  const secret = (configured: string) => source.secret({ setting: 'LOG_SECRET', configured });
  return { clock, vault, source, secret, settings, telemetry, logged: () => logged };
}

test('a constant is itself, and an empty one names its setting', async (t) => {
  const { secret } = await setUp(t);
  assert.equal(await secret('hunter2').value(), 'hunter2');
  await assert.rejects(secret('').value(), { code: 'SECRET_MISSING', message: 'LOG_SECRET is not set' });
});

test('a file is read anew, and a moment without it changes nothing', async (t) => {
  const { source } = await setUp(t);
  const path = temporaryFile('value', 'first\n');
  const secret = source.secret({ setting: 'LOG_SECRET', configured: 'first', file: path });
  assert.equal(await secret.value(), 'first');
  await writeFile(path, 'second\n');
  assert.equal(await secret.value(), 'second');
  await writeFile(path, '');
  assert.equal(await secret.reload(), 'second');
});

test('a file that never held a secret stops the start', async (t) => {
  const { source } = await setUp(t);
  const secret = source.secret({ setting: 'LOG_SECRET', configured: '', file: '/nonexistent/secret' });
  await assert.rejects(secret.value(), { code: 'SECRET_FILE', hint: /LOG_SECRET_FILE/ });
});

for (const kvVersion of [1, 2] as const) {
  test(`fields of one KV version ${kvVersion} secret are read with one call`, async (t) => {
    const { vault, secret } = await setUp(t, { kvVersion });
    vault.put('notifier/log', { id: 'CLIENT', key: 'hunter2', port: 8443 });
    assert.equal(await secret('vault:notifier/log#id').value(), 'CLIENT');
    assert.equal(await secret('vault:notifier/log#key').value(), 'hunter2');
    assert.equal(await secret('vault:notifier/log#port').value(), '8443');
    const reads = vault.calls.filter((call) => call.includes('/notifier/log'));
    assert.deepEqual(reads, [`GET /v1/secret/${kvVersion === 2 ? 'data/' : ''}notifier/log`]);
  });
}

test('a value is read again after some minutes, and at once when it was refused', async (t) => {
  const { clock, vault, secret } = await setUp(t);
  vault.put('log', { key: 'one' });
  const key = secret('vault:log#key');
  assert.equal(await key.value(), 'one');
  vault.put('log', { key: 'two' });
  await clock.advance(vaultRefreshMs - 1);
  assert.equal(await key.value(), 'one');
  assert.equal(await key.reload(), 'two');
  vault.put('log', { key: 'three' });
  await clock.advance(vaultRefreshMs);
  assert.equal(await key.value(), 'three');
});

test('while Vault is sealed the last good value stays in use and a warning without it is logged', async (t) => {
  const { clock, vault, secret, logged } = await setUp(t);
  vault.put('log', { key: 'hunter2' });
  const key = secret('vault:log#key');
  await key.value();
  vault.fail(503, 3);
  const reloading = key.reload();
  assert.deepEqual([await clock.passNextSleep(), await clock.passNextSleep()], [150, 300]);
  assert.equal(await reloading, 'hunter2');
  assert.match(logged(), /VAULT_SEALED/);
  assert.match(logged(), /LOG_SECRET/);
  assert.doesNotMatch(logged(), /hunter2/);

  const calls = vault.calls.length;
  await key.value();
  assert.equal(vault.calls.length, calls, 'an outage does not slow every caller down');
  vault.put('log', { key: 'hunter3' });
  await clock.advance(vaultOutageMs);
  assert.equal(await key.value(), 'hunter3');
});

test('a Vault that is sealed, absent or no Vault at all stops the start with its reason', async (t) => {
  const { clock, vault, secret, settings, telemetry } = await setUp(t);
  vault.fail(503, 3);
  const checking = assert.rejects(secret('vault:log#key').value(), (error: CcxError) => {
    assert.equal(error.code, 'VAULT_SEALED');
    assert.match(errorText(error), /LOG_SECRET cannot be read: Vault at .* is sealed/);
    return true;
  });
  await clock.passNextSleep();
  await clock.passNextSleep();
  await checking;

  const absent = openSecretSource({ vault: { ...settings, address: 'http://127.0.0.1:9' }, clock, telemetry });
  const unreachable = absent.secret({ setting: 'LOG_SECRET', configured: 'vault:log#key' });
  const failing = assert.rejects(unreachable.value(), { code: 'VAULT_UNREACHABLE' });
  await clock.passNextSleep();
  await clock.passNextSleep();
  await failing;
  await absent.close();
});

test('a missing, deleted or fieldless secret and a wrong KV version each have their own error', async (t) => {
  const { vault, secret, settings, clock, telemetry } = await setUp(t);
  await assert.rejects(secret('vault:none#key').value(), { code: 'VAULT_SECRET_MISSING' });
  vault.put('gone', { key: 'x' });
  vault.softDelete('gone');
  await assert.rejects(secret('vault:gone#key').value(), { code: 'VAULT_SECRET_DELETED' });
  vault.put('log', { empty: '', nested: {} });
  for (const field of ['empty', 'nested', 'other', '__proto__']) {
    await assert.rejects(secret(`vault:log#${field}`).value(), { code: 'VAULT_FIELD' }, field);
  }
  const wrong = openSecretSource({ vault: { ...settings, kvVersion: 1 }, clock, telemetry });
  await assert.rejects(wrong.secret({ setting: 'S', configured: 'vault:log#key' }).value(), {
    code: 'VAULT_SECRET_MISSING',
    hint: 'check the path, vault.mount, vault.kv_version (1) and vault.namespace',
  });
  await wrong.close();
});

test('a soft-deleted secret that was read before stays in use', async (t) => {
  const { vault, secret, logged } = await setUp(t);
  vault.put('log', { key: 'hunter2' });
  const key = secret('vault:log#key');
  await key.value();
  vault.softDelete('log');
  assert.equal(await key.reload(), 'hunter2');
  assert.match(logged(), /VAULT_SECRET_DELETED/);
});

test('AppRole logs in once for concurrent readers, and again when its token is revoked', async (t) => {
  const approle = { roleId: 'role', secretId: 'secret-id' };
  const { vault, secret } = await setUp(t, { approle }, () => ({
    kind: 'approle',
    mount: 'approle',
    roleId: 'role',
    secretId: { text: 'secret-id' },
  }));
  vault.put('a', { key: '1' });
  vault.put('b', { key: '2' });
  const logins = () => vault.calls.filter((call) => call.includes('/login')).length;
  const [a, b] = [secret('vault:a#key'), secret('vault:b#key')];
  assert.deepEqual(await Promise.all([a.value(), b.value(), a.value()]), ['1', '2', '1']);
  assert.equal(logins(), 1);
  vault.revokeAll();
  assert.equal(await a.reload(), '1');
  assert.equal(logins(), 2);
});

test('Kubernetes login reads the pod token from its file each time', async (t) => {
  const path = temporaryFile('value', 'jwt-1');
  const kubernetes = { role: 'notifier', jwt: 'jwt-2' };
  const { vault, secret } = await setUp(t, { kubernetes }, () => ({
    kind: 'kubernetes',
    mount: 'kubernetes',
    role: 'notifier',
    jwtFile: path,
  }));
  vault.put('log', { key: 'v' });
  await assert.rejects(secret('vault:log#key').value(), { code: 'VAULT_LOGIN', hint: /vault\.jwt_file/ });
  await writeFile(path, 'jwt-2');
  assert.equal(await secret('vault:log#key').value(), 'v');
});

test('a token without permission is tried once more after a login, then refused with the policy to change', async (t) => {
  const { vault, secret } = await setUp(t, {}, () => ({ kind: 'token', token: { text: 'hvs.revoked' } }));
  await assert.rejects(secret('vault:log#key').value(), (error: CcxError) => {
    assert.equal(error.code, 'VAULT_FORBIDDEN');
    assert.doesNotMatch(`${errorText(error)} ${error.hint}`, /hvs\.revoked/);
    return true;
  });
  assert.ok(vault.calls.length <= 3);
});

test('a token that no header can carry is refused without being quoted', async (t) => {
  const { secret } = await setUp(t, {}, () => ({ kind: 'token', token: { text: 'hvs.two\nlines' } }));
  await assert.rejects(secret('vault:log#key').value(), (error: CcxError) => {
    assert.equal(error.code, 'VAULT_TOKEN');
    assert.doesNotMatch(`${error.stack} ${errorText(error)}`, /two\nlines/);
    return true;
  });
});

test('the namespace and the Vault headers go with every call', async (t) => {
  const { vault, settings, clock, telemetry } = await setUp(t);
  vault.put('log', { key: 'v' });
  const source = openSecretSource({ vault: { ...settings, namespace: 'team-a' }, clock, telemetry });
  await source.secret({ setting: 'S', configured: 'vault:log#key' }).value();
  assert.equal(vault.lastHeaders['x-vault-namespace'], 'team-a');
  assert.equal(vault.lastHeaders['x-vault-request'], 'true');
  await source.close();
});

test('a standby that sends on to the active node is followed once', async (t) => {
  const standby = await setUp(t);
  const active = await setUp(t);
  active.vault.put('log', { key: 'v' });
  const token = active.vault.issueToken();
  const source = openSecretSource({
    vault: { ...standby.settings, auth: { kind: 'token', token: { text: token } } },
    clock: standby.clock,
    telemetry: standby.telemetry,
  });
  standby.vault.redirectTo(active.vault.url);
  standby.vault.redirectTo(active.vault.url);
  assert.equal(await source.secret({ setting: 'S', configured: 'vault:log#key' }).value(), 'v');
  await source.close();
});

test('a login token is renewed at two thirds of its life, and replaced when its maximum life clips it', async (t) => {
  const approle = { roleId: 'r', secretId: 's' };
  const auth: VaultAuth = { kind: 'approle', mount: 'approle', roleId: 'r', secretId: { text: 's' } };
  const { clock, vault, secret } = await setUp(t, { approle, ttlSeconds: 90, maxTtlSeconds: 140 }, () => auth);
  vault.put('log', { key: 'v' });
  await secret('vault:log#key').value();
  const renewals = () => vault.calls.filter((call) => call.endsWith('/renew-self')).length;
  const logins = () => vault.calls.filter((call) => call.endsWith('/login')).length;

  assert.equal(await clock.passNextSleep(), 60_000);
  // Renewed for 80 s (clipped to 140 s of age): the next look is at two thirds of that.
  const second = await clock.nextSleep();
  assert.ok(Math.abs(second - 53_333) < 1, String(second));
  assert.deepEqual([renewals(), logins()], [1, 1]);
  await clock.advance(second);
  // 26 s would be left: less than a third of what was granted, so it logs in again and starts over.
  assert.equal(await clock.nextSleep(), 60_000);
  assert.deepEqual([renewals(), logins()], [2, 2]);
});

test('a renewal that fails is logged and tried again, and reads go on with the old token', async (t) => {
  const approle = { roleId: 'r', secretId: 's' };
  const auth: VaultAuth = { kind: 'approle', mount: 'approle', roleId: 'r', secretId: { text: 's' } };
  const { clock, vault, secret, logged } = await setUp(t, { approle, ttlSeconds: 90 }, () => auth);
  vault.put('log', { key: 'v' });
  const key = secret('vault:log#key');
  await key.value();
  vault.fail(500, 6);
  await clock.passNextSleep();
  const pauses = [];
  for (let i = 0; i < 5; i += 1) pauses.push(await clock.passNextSleep());
  // Renewal and login, three tries each, then the pause before both again.
  assert.deepEqual(pauses, [150, 300, 150, 300, 3_750]);
  assert.equal(await key.reload(), 'v');
  assert.equal(await clock.nextSleep(), 60_000);
  assert.match(logged(), /token is not renewed/);
});

test('text that is no reference is a constant, and a broken reference names the setting', async (t) => {
  const { source, clock, telemetry } = await setUp(t);
  for (const broken of ['vault:', 'vault:log', 'vault:#key', 'vault:a b#key', 'vault:../sys#key']) {
    assert.throws(
      () => source.secret({ setting: 'LOG_SECRET', configured: broken }),
      { code: 'CONFIG_INVALID' },
      broken,
    );
  }
  const without = openSecretSource({ vault: undefined, clock, telemetry });
  assert.throws(() => without.secret({ setting: 'S', configured: 'vault:log#key' }), {
    hint: 'set vault.address (or VAULT_ADDR)',
  });
});
