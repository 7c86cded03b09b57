/** What the vault options and Vault's own environment names become. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { temporaryFile, temporaryFolder } from '../../../../test/support/temporary-folder.ts';
import { type LoadedConfig, loadConfig } from '../../config/load-config.ts';
import { defineOptions, environmentName } from '../../config/options.ts';
import { secretRequest } from '../secret-source.ts';
import { vaultOptions, vaultSettings } from './vault-settings.ts';

const table = defineOptions({
  name: 'test',
  envPrefix: 'CCX_TEST',
  options: { ...vaultOptions, 'log.password': { type: 'string', default: '', secret: true, description: 'x' } },
});

function settings(env: Readonly<Record<string, string>>) {
  const { config }: LoadedConfig<typeof table> = loadConfig(table, { env });
  return vaultSettings({ config, env, environmentName: (key) => environmentName(table, key) });
}

test('without an address there is no Vault', () => {
  assert.equal(settings({ VAULT_TOKEN: 't' }), undefined);
});

test('the names of the Vault and OpenBao tools count where ours are not set', () => {
  const token = { kind: 'token', token: { text: 't' } };
  const common = { mount: 'secret', kvVersion: 2, auth: token };
  assert.deepEqual(settings({ VAULT_ADDR: 'https://v:8200/', VAULT_TOKEN: 't', VAULT_NAMESPACE: 'n' }), {
    ...common,
    address: 'https://v:8200',
    namespace: 'n',
  });
  assert.deepEqual(settings({ BAO_ADDR: 'http://b', BAO_TOKEN: 't' }), {
    ...common,
    address: 'http://b',
    namespace: '',
  });
  assert.equal(
    settings({ CCX_TEST__VAULT__ADDRESS: 'http://own', BAO_ADDR: 'http://b', BAO_TOKEN: 't' })?.address,
    'http://own',
  );
});

test('a file that cannot be used, half a client certificate and a certificate that is not to be verified are said at the start', () => {
  const vault = { VAULT_ADDR: 'https://v', VAULT_TOKEN: 't' };
  const empty = temporaryFolder();
  const wrong: readonly [Readonly<Record<string, string>>, RegExp][] = [
    [{ CCX_TEST__VAULT__CA_FILE: '/nowhere/ca.pem' }, /vault\.ca_file \(CCX_TEST__VAULT__CA_FILE, VAULT_CACERT\)/],
    [{ VAULT_CACERT: temporaryFile('ca.pem', 'none') }, /VAULT_CACERT/],
    [{ VAULT_CACERT_BYTES: '/etc/ca.pem' }, /VAULT_CACERT_BYTES/],
    [{ VAULT_CAPATH: empty }, /VAULT_CAPATH/],
    [{ VAULT_CAPATH: '/nowhere' }, /VAULT_CAPATH/],
    [{ VAULT_CLIENT_CERT: '/etc/client.pem' }, /CCX_TEST__VAULT__CLIENT_KEY_FILE/],
    [{ VAULT_SKIP_VERIFY: '1' }, /VAULT_CACERT/],
    [{ BAO_SKIP_VERIFY: 'yes' }, /VAULT_CACERT/],
  ];
  for (const [env, hint] of wrong)
    assert.throws(() => settings({ ...vault, ...env }), { code: 'CONFIG_INVALID', hint }, JSON.stringify(env));
  assert.equal(settings({ ...vault, VAULT_SKIP_VERIFY: 'False' })?.tls, undefined);
});

test('AppRole and Kubernetes bring their own mounts', () => {
  const approle = { CCX_TEST__VAULT__AUTH: 'approle', CCX_TEST__VAULT__ROLE_ID: 'r', CCX_TEST__VAULT__SECRET_ID: 's' };
  assert.deepEqual(settings({ VAULT_ADDR: 'http://v', ...approle })?.auth, {
    kind: 'approle',
    mount: 'approle',
    roleId: 'r',
    secretId: { text: 's' },
  });
  const kubernetes = {
    CCX_TEST__VAULT__AUTH: 'kubernetes',
    CCX_TEST__VAULT__ROLE: 'r',
    CCX_TEST__VAULT__AUTH_MOUNT: 'k8s-a',
  };
  assert.deepEqual(settings({ VAULT_ADDR: 'http://v', ...kubernetes })?.auth, {
    kind: 'kubernetes',
    mount: 'k8s-a',
    role: 'r',
    jwtFile: '/var/run/secrets/kubernetes.io/serviceaccount/token',
  });
});

test('a login that lacks something names the setting', () => {
  assert.throws(() => settings({ VAULT_ADDR: 'http://v' }), {
    code: 'CONFIG_INVALID',
    hint: 'change CCX_TEST__VAULT__TOKEN',
  });
  assert.throws(() => settings({ VAULT_ADDR: 'v:8200', VAULT_TOKEN: 't' }), {
    hint: 'change CCX_TEST__VAULT__ADDRESS',
  });
  assert.throws(
    () => settings({ VAULT_ADDR: 'http://v', CCX_TEST__VAULT__AUTH: 'approle', CCX_TEST__VAULT__ROLE_ID: 'r' }),
    {
      hint: 'change CCX_TEST__VAULT__SECRET_ID',
    },
  );
});

test('a secret option knows whether its value came from a file that may be rotated', () => {
  const request = (env: Readonly<Record<string, string>>) =>
    secretRequest({ table, key: 'log.password', loaded: loadConfig(table, { env }) });
  assert.deepEqual(request({ CCX_TEST__LOG__PASSWORD: 'p' }), { setting: 'CCX_TEST__LOG__PASSWORD', configured: 'p' });
  const file = import.meta.filename;
  assert.equal(request({ CCX_TEST__LOG__PASSWORD_FILE: file }).file, file);
  assert.equal(request({ CCX_TEST__LOG__PASSWORD: 'p', CCX_TEST__LOG__PASSWORD_FILE: file }).file, undefined);
});
