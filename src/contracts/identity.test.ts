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
  const certificate = { type: 'X509', x509: { subject_dn: 'CN=a' } };
  const withNulls = { identity: { ...user, account_number: null, user: null }, entitlements: null };
  const cases: readonly (readonly [title: string, header: string, org: string, account: string])[] = [
    ['the sample of the reference', readmeIdentity, '000001', '0000001'],
    ['an organization inside of internal', encode({ identity: { type: 'User', internal: { org_id: '7' } } }), '7', ''],
    [
      'the outer organization first',
      encode({ identity: { type: 'User', org_id: '1', internal: { org_id: '2' } } }),
      '1',
      '',
    ],
    ['an associate without any organization', encode({ identity: { type: 'Associate' } }), '', ''],
    ['a certificate without any organization', encode({ identity: certificate }), '', ''],
    ['names in any case', encode({ IDENTITY: { Type: 'User', Org_ID: '1' } }), '1', ''],
    ['unknown members of any type', encode({ identity: { ...user, color: [1] }, more: {} }), '000001', '0000001'],
    ['null for nothing', encode(withNulls), '000001', ''],
    ['line ends in the base64', `${readmeIdentity.slice(0, 8)}\r\n${readmeIdentity.slice(8)}`, '000001', '0000001'],
  ];
  for (const [title, header, org, account] of cases) {
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
  const messages = {
    IDENTITY_MISSING: 'missing x-rh-identity header',
    IDENTITY_NOT_BASE64: 'unable to b64 decode x-rh-identity header',
    IDENTITY_NOT_JSON: 'x-rh-identity header does not contain valid JSON: ',
    IDENTITY_WITHOUT_ORG: 'x-rh-identity header has an invalid or missing org_id',
    IDENTITY_WITHOUT_TYPE: 'x-rh-identity header is missing type',
  };
  const cases: readonly (readonly [string, string | undefined, keyof typeof messages, said?: string])[] = [
    ['no header', undefined, 'IDENTITY_MISSING'],
    ['an empty header', '', 'IDENTITY_MISSING'],
    ['missing padding', readmeIdentity.slice(0, -1), 'IDENTITY_NOT_BASE64'],
    ['the URL alphabet', Buffer.from([0xfb, 0xff, 0xff]).toString('base64url'), 'IDENTITY_NOT_BASE64'],
    ['blanks', `${readmeIdentity} `, 'IDENTITY_NOT_BASE64'],
    [
      'text that is not JSON',
      encode('hello'),
      'IDENTITY_NOT_JSON',
      "invalid character 'h' looking for beginning of value",
    ],
    ['JSON that is cut', encode('{"identity":'), 'IDENTITY_NOT_JSON', 'unexpected end of JSON input'],
    [
      'something behind the JSON',
      encode(`${JSON.stringify({ identity: user })}x`),
      'IDENTITY_NOT_JSON',
      "invalid character 'x' after top-level value",
    ],
    [
      'a number for an organization',
      encode({ identity: { ...user, org_id: 1 } }),
      'IDENTITY_NOT_JSON',
      'json: cannot unmarshal number into Go struct field Identity.identity.org_id of type string',
    ],
    [
      'text for internal',
      encode({ identity: { ...user, internal: 'x' } }),
      'IDENTITY_NOT_JSON',
      'json: cannot unmarshal string into Go struct field Identity.identity.internal of type identity.Internal',
    ],
    [
      'text for a flag',
      encode({ identity: { ...user, user: { is_active: 'yes' } } }),
      'IDENTITY_NOT_JSON',
      'json: cannot unmarshal string into Go struct field User.identity.user.is_active of type bool',
    ],
    [
      'a list for the whole',
      encode([]),
      'IDENTITY_NOT_JSON',
      'json: cannot unmarshal array into Go value of type identity.XRHID',
    ],
    ['no organization', encode({ identity: { type: 'User', account_number: '1' } }), 'IDENTITY_WITHOUT_ORG'],
    [
      'an associate with an account but no organization',
      encode({ identity: { type: 'Associate', account_number: '1' } }),
      'IDENTITY_WITHOUT_ORG',
    ],
    ['neither organization nor type', encode({}), 'IDENTITY_WITHOUT_ORG'],
    ['null', encode('null'), 'IDENTITY_WITHOUT_ORG'],
    ['no type', encode({ identity: { org_id: '1' } }), 'IDENTITY_WITHOUT_TYPE'],
  ];
  for (const [title, header, code, said = ''] of cases) {
    test(`${title}: ${code}`, () => {
      const check = checkIdentityHeader(header);
      assert.ok(check.kind === 'refused');
      assert.deepEqual([check.error.code, check.error.message], [code, messages[code] + said]);
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

  const messages = {
    IDENTITY_NOT_BASE64: 'Base64 encoded identity could not be parsed',
    IDENTITY_NOT_JSON: 'Unable to decode received message',
    IDENTITY_SCHEMA: 'Invalid input message JSON schema',
  };
  const inherited = '{"identity":{"internal":{"__proto__":{"org_id":"1"}}}}';
  const refusals: readonly (readonly [title: string, base64: string, code: keyof typeof messages])[] = [
    ['wrong padding', 'YWJ', 'IDENTITY_NOT_BASE64'],
    ['characters that are not ASCII', 'YWJjé', 'IDENTITY_NOT_BASE64'],
    ['no JSON', encode('hello'), 'IDENTITY_NOT_JSON'],
    ['invalid UTF-8', Buffer.from([0x22, 0xff, 0x22]).toString('base64'), 'IDENTITY_NOT_JSON'],
    ['a list', encode([]), 'IDENTITY_SCHEMA'],
    ['no identity', encode({}), 'IDENTITY_SCHEMA'],
    ['an identity without internal', encode({ identity: { type: 'System' } }), 'IDENTITY_SCHEMA'],
    ['an organization outside of internal only', encode({ identity: { org_id: '1' } }), 'IDENTITY_SCHEMA'],
    ['a number for an organization', encode({ identity: { internal: { org_id: 1 } } }), 'IDENTITY_SCHEMA'],
    ['null for an account', encode({ identity: { ...user, account_number: null } }), 'IDENTITY_SCHEMA'],
    ['text for a flag of the user', encode({ identity: { ...user, user: { is_active: 'yes' } } }), 'IDENTITY_SCHEMA'],
    ['an organization that every object inherits', encode(inherited), 'IDENTITY_SCHEMA'],
  ];
  for (const [title, base64, code] of refusals) {
    test(`refuses ${title}: ${code}`, () => {
      const parsed = parseConsumerIdentity(base64);
      assert.ok(parsed.kind === 'refused');
      assert.deepEqual([parsed.error.code, parsed.error.message], [code, messages[code]]);
    });
  }

  /** The table of data-pipeline.md 2.3, line by line: what has a type, and that nothing else is looked at. */
  const complete = {
    account_number: '1',
    type: 'System',
    auth_type: 'cert-auth',
    internal: { org_id: '1', auth_time: 0 },
    user: {
      ...{ email: 'e', first_name: 'f', last_name: 'l', locale: 'en', username: 'u' },
      ...{ is_active: true, is_internal: false, is_org_admin: false },
    },
    system: { cluster_id: 'c' },
  };
  const { internal, user: person, ...flat } = complete;
  const typed: readonly (readonly [path: string, type: 'text' | 'number' | 'flag' | 'object', isRequired?: true])[] = [
    ['internal', 'object', true],
    ['internal.org_id', 'text', true],
    ['internal.auth_time', 'number'],
    ...['account_number', 'auth_type', 'type'].map((path) => [path, 'text'] as const),
    ['user', 'object'],
    ...['email', 'first_name', 'last_name', 'locale', 'username'].map((name) => [`user.${name}`, 'text'] as const),
    ...['is_active', 'is_internal', 'is_org_admin'].map((name) => [`user.${name}`, 'flag'] as const),
  ];
  const values = { text: 'x', number: 1.5, flag: true, object: {}, list: [], null: null };
  const read = (path: string, value: unknown) => {
    const [first = '', second] = path.split('.');
    const whole: Record<string, unknown> = { ...flat, internal: { ...internal }, user: { ...person } };
    if (second === undefined) whole[first] = value;
    else whole[first] = { ...(whole[first] as object), [second]: value };
    return parseConsumerIdentity(encode({ identity: whole })).kind;
  };
  for (const [path, type, isRequired] of typed) {
    test(`${path} ${isRequired ? 'is' : 'may be absent, else is'} ${type} and nothing else`, () => {
      assert.equal(read(path, undefined), isRequired ? 'refused' : 'parsed', 'absent');
      for (const [name, value] of Object.entries(values)) {
        // An empty object lacks the organization that it has to have.
        const isTaken = name === type && path !== 'internal';
        assert.equal(read(path, value), isTaken ? 'parsed' : 'refused', name);
      }
    });
  }

  test('what has no type there may be anything', () => {
    for (const path of ['system', 'system.cluster_id', 'more', 'internal.more', 'user.more'])
      for (const [name, value] of Object.entries(values)) assert.equal(read(path, value), 'parsed', `${path} ${name}`);
    const entitled = encode({ identity: complete, entitlements: 1 });
    assert.equal(parseConsumerIdentity(entitled).kind, 'parsed');
  });

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
    ['['.repeat(10_001), "invalid character '[' exceeded max depth"],
    ['['.repeat(10_000), 'unexpected end of JSON input'],
    [`${'[{"a":'.repeat(5_000)}{`, "invalid character '{' exceeded max depth"],
    [
      '{"identity":{"internal":{"auth_time":"x"}}}',
      'json: cannot unmarshal string into Go struct field Internal.identity.internal.auth_time of type float32',
    ],
  ] as const) {
    test(`${JSON.stringify(text.slice(0, 60))}, ${text.length} characters`, () => {
      const check = checkIdentityHeader(encode(text) || 'Cg==');
      assert.ok(check.kind === 'refused');
      assert.equal(check.error.message, `x-rh-identity header does not contain valid JSON: ${said}`);
    });
  }
});
