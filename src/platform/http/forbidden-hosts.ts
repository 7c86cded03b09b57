/**
 * Where no receiver of notifications is: addresses at which clouds tell a machine its credentials, and link-local ones as a whole. Asked
 * where an address is configured, and again for what its name resolves to when a connection is made.
 */
import { BlockList, isIP } from 'node:net';

/** Where clouds tell a machine its credentials, beside what is link-local. */
const forbidden = new BlockList();
forbidden.addSubnet('169.254.0.0', 16, 'ipv4');
forbidden.addSubnet('fe80::', 10, 'ipv6');
forbidden.addAddress('100.100.100.200', 'ipv4');
forbidden.addAddress('168.63.129.16', 'ipv4');
forbidden.addAddress('fd00:ec2::254', 'ipv6');
forbidden.addAddress('fd20:ce::254', 'ipv6');
const forbiddenNames: ReadonlySet<string> = new Set(['metadata', 'metadata.google.internal', 'instance-data']);

/** An address or a name that leads to one whatever a name server says. Names that only resolve to one are met at the connection. */
export function isForbiddenHost(host: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, '');
  if (forbiddenNames.has(name)) return true;
  const family = isIP(name);
  if (family === 0) return false;
  // `::ffff:169.254.169.254` is judged as what it stands for.
  return forbidden.check(name, family === 4 ? 'ipv4' : 'ipv6');
}
