/** Archives on an S3 server that has a certificate authority of its own: by its file they go there and come back, by none and by a wrong one nothing does. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { startCcx } from '../../../test/support/ccx-process.ts';
import { BOUNDARY, filePart, form, metadataPart, send, userIdentity } from '../../../test/support/ingress-bench.ts';
import { startIngressRole } from '../../../test/support/ingress-role.ts';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';
import { secureS3, testBucket } from '../../../test/support/s3.ts';
import { s3IngressEnvironmentOf } from '../../../test/support/s3-environments.ts';
import { temporaryFile } from '../../../test/support/temporary-folder.ts';
import { HEADER_REQUEST_ID } from '../../contracts/topics.ts';

const shared: { base?: TestDatabase } = {};
before(async () => {
  shared.base = await createTestDatabase();
});
after(async () => {
  await shared.base?.drop();
});

async function environment(caFile: string): Promise<Record<string, string>> {
  const server = await secureS3();
  return {
    ...s3IngressEnvironmentOf(server),
    INGRESS_USESSL: 'true',
    ...(caFile === '' ? {} : { CCX_INGRESS__STORAGE__S3_CA_FILE: caFile }),
  };
}

const authority = async (name: string) => join((await secureS3()).certificates, name);

test('with its authority a small and a large archive lie there, and the link names the server by https', async (t) => {
  const env = await environment(await authority('ca.pem'));
  const { role, url } = await startIngressRole({ databaseUrl: shared.base!.url, env });
  t.after(() => role.kill('SIGKILL'));
  const { endpoint, bucket: name, admin } = await secureS3();
  const bucket = await testBucket({ endpoint, ...admin, bucket: name, caFile: await authority('ca.pem') });
  t.after(() => bucket.close());
  for (const [id, bytes] of [
    ['secure-small', 93_000],
    ['secure-large', 12_000_000],
  ] as const) {
    const body = randomBytes(bytes);
    const answer = await send(`${url}/api/ingress/v1/upload`, {
      method: 'POST',
      headers: {
        'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
        'x-rh-identity': userIdentity,
        [HEADER_REQUEST_ID]: id,
      },
      body: form([filePart(body), metadataPart({})]),
    });
    assert.equal(answer.status, 202, answer.text);
    assert.ok((await buffer((await bucket.get(id))!.body)).equals(body), id);
    assert.ok((await bucket.signLink(id, 60_000)).url.startsWith(`${endpoint}/${name}/${id}?`));
  }
});

for (const [title, file, said] of [
  ['no authority is named', '', /OBJECTS_TLS\].*\n.*storage\.s3_ca_file/],
  ['another authority is named', 'other-ca.pem', /OBJECTS_TLS\].*\n.*storage\.s3_ca_file/],
  ['the file is not there', 'missing.pem', /CONFIG_INVALID\].*\n.*storage\.s3_ca_file/],
  ['the file holds none', undefined, /holds no PEM.*\n.*storage\.s3_ca_file/],
] as const) {
  test(`where ${title} a start ends in one line, and sends nothing by plain text`, async () => {
    const path = file === undefined ? temporaryFile('ca.pem', 'none') : file === '' ? '' : await authority(file);
    const env = { ...(await environment(path)), CCX_DATABASE_URL: shared.base!.url };
    const role = startCcx({ args: ['ingress', '--bus', 'postgres', '--port', '0', '--metrics-port', '0'], env });
    assert.equal((await role.exited(60_000)).code, 1);
    assert.match(role.stderr(), said);
    assert.doesNotMatch(role.stderr(), /\n\s+at /);
  });
}
