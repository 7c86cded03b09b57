/** Which of some objects name an egress IP: shared by the rules about egress IPs of OpenShift SDN. */

/** The names of those that name each address, in their order. */
export function namesByEgressIp(
  objects: readonly { readonly name: string; readonly egressIps: readonly string[] }[],
): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, string[]>();
  for (const { name, egressIps } of objects) {
    for (const ip of egressIps) {
      const known = names.get(ip);
      if (known === undefined) names.set(ip, [name]);
      else if (!known.includes(name)) known.push(name);
    }
  }
  return names;
}
