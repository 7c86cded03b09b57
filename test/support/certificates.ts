/** Two certificates of 127.0.0.1 and localhost that sign themselves, for a hundred years. Made by openssl, for tests only. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const firstCertificate = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBkzCCATmgAwIBAgIUOlzsptkQklcHnCQycftQLucJO8kwCgYIKoZIzj0EAwIw
EDEOMAwGA1UEAwwFZmlyc3QwIBcNMjYxMTI2MTgyMDU5WhgPMjEyNjExMDIxODIw
NTlaMBAxDjAMBgNVBAMMBWZpcnN0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
+WaEq18it1vUHYsld8A/jxD8IeK3TZjx519m5oD8wYNfXewc4BS/Rxv6ecFYjPDu
KUs+CWSxUtzjV/gSEbfWg6NvMG0wHQYDVR0OBBYEFAE3T3yyV5w+jEFeXO3Y+2US
8IpaMB8GA1UdIwQYMBaAFAE3T3yyV5w+jEFeXO3Y+2US8IpaMA8GA1UdEwEB/wQF
MAMBAf8wGgYDVR0RBBMwEYIJbG9jYWxob3N0hwR/AAABMAoGCCqGSM49BAMCA0gA
MEUCIQD20994T7w8GOGYgkuAXTfjlfLHPsTgRfICSzIRFhCw4AIgLhYpGX1q5x7R
BvJkHGkagQY5q97zUs8BjVRkCT0M6po=
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgU6/xWGE5pUoKw16x
5Lnsm6rmrCqAJQYWbpen+M0Ky5mhRANCAAT5ZoSrXyK3W9QdiyV3wD+PEPwh4rdN
mPHnX2bmgPzBg19d7BzgFL9HG/p5wViM8O4pSz4JZLFS3ONX+BIRt9aD
-----END PRIVATE KEY-----
`,
};

export const secondCertificate = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBlTCCATugAwIBAgIUEZM+v8zj4ZGUP8SshDPAETjQKMEwCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGc2Vjb25kMCAXDTI2MTEyNjE4MjA1OVoYDzIxMjYxMTAyMTgy
MDU5WjARMQ8wDQYDVQQDDAZzZWNvbmQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AARvtQm2xncB/M4yriTzpNMsNR46dGS+TV2wXM3+kA5VNdzTAKV1le7ToZQu5QYd
b5YNKd973IqUfGUD2BMTBt6Xo28wbTAdBgNVHQ4EFgQUVu+4Tg6X/51S8keXXvSO
0lhngVowHwYDVR0jBBgwFoAUVu+4Tg6X/51S8keXXvSO0lhngVowDwYDVR0TAQH/
BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZIzj0EAwID
SAAwRQIhALg7N1FoCcZs35/IsMAIiaTQx4KRZvrMrqDyTMafW1UYAiBzG3dtmr24
ASGmENs/sigUb8l0Wza9u7MrQoluTmW/RA==
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgUVAfsL1tqu1cdnRf
oxhYeTkNZj4g2cJfcsfRPx0R72uhRANCAARvtQm2xncB/M4yriTzpNMsNR46dGS+
TV2wXM3+kA5VNdzTAKV1le7ToZQu5QYdb5YNKd973IqUfGUD2BMTBt6X
-----END PRIVATE KEY-----
`,
};

/** Puts them into the folder, as whoever renews certificates does; answers where they lie. */
export function writeCertificate(folder: string, { cert, key }: typeof firstCertificate) {
  const files = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') };
  writeFileSync(files.certFile, cert);
  writeFileSync(files.keyFile, key);
  return files;
}
