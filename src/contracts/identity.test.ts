/** Identities as ingress checks them (Go's outcomes) and as the data pipeline reads them (Python's). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  checkIdentityHeader,
  decodeBase64LikePython,
  encodeIdentity,
  type Identity,
  parseConsumerIdentity,
} from './identity.ts';

function encode(document: unknown): string {
  return Buffer.from(typeof document === 'string' ? document : JSON.stringify(document)).toString('base64');
}

const user = { type: 'User', account_number: '0000001', org_id: '000001', internal: { org_id: '000001' } };

/** The sample of the reference's README. */
const readmeIdentity =
  'eyJpZGVudGl0eSI6IHsidHlwZSI6ICJVc2VyIiwgImFjY291bnRfbnVtYmVyIjogIjAwMDAwMDEiLCAib3JnX2lkIjogIjAwMDAwMSIsICJpbnRlcm5hbCI6IHsib3JnX2lkIjogIjAwMDAwMSJ9fX0=';

describe('ingress accepts', () => {
  const cases: readonly {
    readonly title: string;
    readonly header: string;
    readonly org: string;
    readonly account: string;
  }[] = [
    { title: 'the sample of the reference', header: readmeIdentity, org: '000001', account: '0000001' },
    {
      title: 'an organization inside of internal',
      header: encode({ identity: { type: 'User', internal: { org_id: '7' } } }),
      org: '7',
      account: '',
    },
    {
      title: 'the outer organization first',
      header: encode({ identity: { type: 'User', org_id: '1', internal: { org_id: '2' } } }),
      org: '1',
      account: '',
    },
    {
      title: 'an associate without any organization',
      header: encode({ identity: { type: 'Associate' } }),
      org: '',
      account: '',
    },
    {
      title: 'a certificate without any organization',
      header: encode({ identity: { type: 'X509', x509: { subject_dn: 'CN=a' } } }),
      org: '',
      account: '',
    },
    { title: 'names in any case', header: encode({ IDENTITY: { Type: 'User', Org_ID: '1' } }), org: '1', account: '' },
    {
      title: 'unknown members of any type',
      header: encode({ identity: { ...user, color: [1] }, more: {} }),
      org: '000001',
      account: '0000001',
    },
    {
      title: 'null for nothing',
      header: encode({ identity: { ...user, account_number: null, user: null }, entitlements: null }),
      org: '000001',
      account: '',
    },
    {
      title: 'line ends in the base64',
      header: `${readmeIdentity.slice(0, 8)}\r\n${readmeIdentity.slice(8)}`,
      org: '000001',
      account: '0000001',
    },
  ];
  for (const { title, header, org, account } of cases) {
    test(title, () => {
      const check = checkIdentityHeader(header);
      assert.equal(check.kind, 'accepted');
      assert.ok(check.kind === 'accepted');
      assert.equal(check.identity.orgId, org);
      assert.equal(check.identity.accountNumber, account);
    });
  }
});

describe('ingress refuses', () => {
  const cases: readonly {
    readonly title: string;
    readonly header: string | undefined;
    readonly code: string;
    readonly message: string | RegExp;
  }[] = [
    { title: 'no header', header: undefined, code: 'IDENTITY_MISSING', message: 'missing x-rh-identity header' },
    { title: 'an empty header', header: '', code: 'IDENTITY_MISSING', message: 'missing x-rh-identity header' },
    {
      title: 'missing padding',
      header: readmeIdentity.slice(0, -1),
      code: 'IDENTITY_NOT_BASE64',
      message: 'unable to b64 decode x-rh-identity header',
    },
    {
      title: 'the URL alphabet',
      header: Buffer.from([0xfb, 0xff, 0xff]).toString('base64url'),
      code: 'IDENTITY_NOT_BASE64',
      message: 'unable to b64 decode x-rh-identity header',
    },
    {
      title: 'blanks',
      header: `${readmeIdentity} `,
      code: 'IDENTITY_NOT_BASE64',
      message: 'unable to b64 decode x-rh-identity header',
    },
    {
      title: 'text that is not JSON',
      header: encode('hello'),
      code: 'IDENTITY_NOT_JSON',
      message: /^x-rh-identity header does not contain valid JSON: invalid character 'h'/,
    },
    {
      title: 'JSON that is cut',
      header: encode('{"identity":'),
      code: 'IDENTITY_NOT_JSON',
      message: 'x-rh-identity header does not contain valid JSON: unexpected end of JSON input',
    },
    {
      title: 'something behind the JSON',
      header: encode(`${JSON.stringify({ identity: user })}x`),
      code: 'IDENTITY_NOT_JSON',
      message: /invalid character 'x'/,
    },
    {
      title: 'a number for an organization',
      header: encode({ identity: { ...user, org_id: 1 } }),
      code: 'IDENTITY_NOT_JSON',
      message:
        'x-rh-identity header does not contain valid JSON: json: cannot unmarshal number into Go struct field Identity.identity.org_id of type string',
    },
    {
      title: 'text for internal',
      header: encode({ identity: { ...user, internal: 'x' } }),
      code: 'IDENTITY_NOT_JSON',
      message: /cannot unmarshal string into Go struct field Identity\.identity\.internal of type identity\.Internal/,
    },
    {
      title: 'text for a flag',
      header: encode({ identity: { ...user, user: { is_active: 'yes' } } }),
      code: 'IDENTITY_NOT_JSON',
      message: /cannot unmarshal string into Go struct field User\.identity\.user\.is_active of type bool/,
    },
    {
      title: 'a list for the whole',
      header: encode([]),
      code: 'IDENTITY_NOT_JSON',
      message: /cannot unmarshal array into Go value/,
    },
    {
      title: 'no organization',
      header: encode({ identity: { type: 'User', account_number: '1' } }),
      code: 'IDENTITY_WITHOUT_ORG',
      message: 'x-rh-identity header has an invalid or missing org_id',
    },
    {
      title: 'an associate with an account but no organization',
      header: encode({ identity: { type: 'Associate', account_number: '1' } }),
      code: 'IDENTITY_WITHOUT_ORG',
      message: 'x-rh-identity header has an invalid or missing org_id',
    },
    {
      title: 'neither organization nor type',
      header: encode({}),
      code: 'IDENTITY_WITHOUT_ORG',
      message: 'x-rh-identity header has an invalid or missing org_id',
    },
    {
      title: 'null',
      header: encode('null'),
      code: 'IDENTITY_WITHOUT_ORG',
      message: 'x-rh-identity header has an invalid or missing org_id',
    },
    {
      title: 'no type',
      header: encode({ identity: { org_id: '1' } }),
      code: 'IDENTITY_WITHOUT_TYPE',
      message: 'x-rh-identity header is missing type',
    },
  ];
  for (const { title, header, code, message } of cases) {
    test(`${title}: ${code}`, () => {
      const check = checkIdentityHeader(header);
      assert.ok(check.kind === 'refused');
      assert.equal(check.error.code, code);
      if (typeof message === 'string') assert.equal(check.error.message, message);
      else assert.match(check.error.message, message);
    });
  }

  test('whatever is sent, without throwing', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json().map(encode),
          fc.jsonValue().map((identity) => encode({ identity })),
        ),
        (header) => {
          checkIdentityHeader(header);
          parseConsumerIdentity(header);
        },
      ),
    );
  });
});

describe('the data pipeline', () => {
  test('reads what ingress passed on', () => {
    const identity: Identity = { identity: { ...user, system: { cluster_id: 'c' } } };
    assert.deepEqual(parseConsumerIdentity(encodeIdentity(identity)), { kind: 'parsed', identity });
  });

  test('discards characters outside of the alphabet, and stops at complete padding', () => {
    const parsed = parseConsumerIdentity(`  ${readmeIdentity.slice(0, 9)}-_\n${readmeIdentity.slice(9)}trailing`);
    assert.equal(parsed.kind, 'parsed');
  });

  const refusals: readonly {
    readonly title: string;
    readonly base64: string;
    readonly code: string;
    readonly message: string;
  }[] = [
    {
      title: 'wrong padding',
      base64: 'YWJ',
      code: 'IDENTITY_NOT_BASE64',
      message: 'Base64 encoded identity could not be parsed',
    },
    {
      title: 'characters that are not ASCII',
      base64: 'YWJjé',
      code: 'IDENTITY_NOT_BASE64',
      message: 'Base64 encoded identity could not be parsed',
    },
    {
      title: 'no JSON',
      base64: encode('hello'),
      code: 'IDENTITY_NOT_JSON',
      message: 'Unable to decode received message',
    },
    {
      title: 'invalid UTF-8',
      base64: Buffer.from([0x22, 0xff, 0x22]).toString('base64'),
      code: 'IDENTITY_NOT_JSON',
      message: 'Unable to decode received message',
    },
    { title: 'a list', base64: encode([]), code: 'IDENTITY_SCHEMA', message: 'Invalid input message JSON schema' },
    { title: 'no identity', base64: encode({}), code: 'IDENTITY_SCHEMA', message: 'Invalid input message JSON schema' },
    {
      title: 'an organization outside of internal only',
      base64: encode({ identity: { org_id: '1' } }),
      code: 'IDENTITY_SCHEMA',
      message: 'Invalid input message JSON schema',
    },
    {
      title: 'a number for an organization',
      base64: encode({ identity: { internal: { org_id: 1 } } }),
      code: 'IDENTITY_SCHEMA',
      message: 'Invalid input message JSON schema',
    },
    {
      title: 'null for an account',
      base64: encode({ identity: { ...user, account_number: null } }),
      code: 'IDENTITY_SCHEMA',
      message: 'Invalid input message JSON schema',
    },
    {
      title: 'text for a flag of the user',
      base64: encode({ identity: { ...user, user: { is_active: 'yes' } } }),
      code: 'IDENTITY_SCHEMA',
      message: 'Invalid input message JSON schema',
    },
    {
      title: 'an organization that every object inherits',
      base64: encode('{"identity":{"internal":{"__proto__":{"org_id":"1"}}}}'),
      code: 'IDENTITY_SCHEMA',
      message: 'Invalid input message JSON schema',
    },
  ];
  for (const { title, base64, code, message } of refusals) {
    test(`refuses ${title}: ${code}`, () => {
      const parsed = parseConsumerIdentity(base64);
      assert.ok(parsed.kind === 'refused');
      assert.equal(parsed.error.code, code);
      assert.equal(parsed.error.message, message);
    });
  }

  test('decodes all padded base64', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        assert.deepEqual(decodeBase64LikePython(Buffer.from(bytes).toString('base64')), Buffer.from(bytes));
      }),
    );
  });
});

/** Each was put to Go's `encoding/json` (1.26) behind the reference's middleware. */
describe('what is no JSON is said as Go says it', () => {
  for (const [text, said] of [
    ['hello', "invalid character 'h' looking for beginning of value"],
    ['', 'unexpected end of JSON input'],
    ['nul', "invalid character ' ' in literal null (expecting 'l')"],
    ['trua', "invalid character 'a' in literal true (expecting 'e')"],
    ['{}x', "invalid character 'x' after top-level value"],
    ['{a:1}', "invalid character 'a' looking for beginning of object key string"],
    ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
    ['{"a" 1}', "invalid character '1' after object key"],
    ['{"a":1 2}', "invalid character '2' after object key:value pair"],
    ['[1 2]', "invalid character '2' after array element"],
    ['["a\n"]', "invalid character '\\n' in string literal"],
    ['["\\x"]', "invalid character 'x' in string escape code"],
    ['["\\u12"]', "invalid character '\"' in \\u hexadecimal character escape"],
    ['[-]', "invalid character ']' in numeric literal"],
    ['[1.]', "invalid character ']' after decimal point in numeric literal"],
    ['[1e+]', "invalid character ']' in exponent of numeric literal"],
    ["{'a':1}", "invalid character '\\'' looking for beginning of object key string"],
    ['[\u0001]', "invalid character '\\x01' looking for beginning of value"],
    ['[ü]', "invalid character 'Ã' looking for beginning of value"],
    ['{"identity":', 'unexpected end of JSON input'],
    [
      '{"identity":{"internal":{"auth_time":"x"}}}',
      'json: cannot unmarshal string into Go struct field Internal.identity.internal.auth_time of type float32',
    ],
  ] as const) {
    test(JSON.stringify(text), () => {
      const check = checkIdentityHeader(encode(text) || 'Cg==');
      assert.ok(check.kind === 'refused');
      assert.equal(check.error.message, `x-rh-identity header does not contain valid JSON: ${said}`);
    });
  }
});
