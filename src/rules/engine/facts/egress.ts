/**
 * Egress IPs as OpenShift SDN keeps them: which namespaces use one (`config/netnamespaces.json`) and which nodes host one
 * (`config/hostsubnet/`). Archives of clusters with another network plug-in have neither. Source: data-pipeline.md 7.4, 7.5.
 */
import type { JsonValue } from '../../../encoding/json-text.ts';
import type { ArchiveView } from '../archive-view.ts';
import { listAt, nameAt } from '../json-access.ts';
import { namedResourcesIn } from './resources.ts';

interface NetNamespace {
  readonly name: string;
  /** IPv4 addresses (OpenShift SDN knows no others), each once. */
  readonly egressIps: readonly string[];
}

/** Absent when the file is. In order of name. */
export function readNetNamespaces(archive: ArchiveView): readonly NetNamespace[] | undefined {
  const path = 'config/netnamespaces.json';
  const document = archive.json(path);
  if (!Array.isArray(document)) {
    archive.reject(path);
    return undefined;
  }
  const namespaces = document.flatMap((entry) => {
    const name = nameAt(entry, 'name');
    return name === undefined ? [] : [{ name, egressIps: addressesAt(entry, 'egressIPs') }];
  });
  return namespaces.sort((a, b) => (a.name < b.name ? -1 : 1));
}

interface HostSubnet {
  /** The node's. */
  readonly name: string;
  readonly egressIps: readonly string[];
  /** Networks any address of which the node may host, as `192.0.2.0/24`. */
  readonly egressCidrs: readonly string[];
}

/** Absent when the archive holds none. In order of name. */
export function readHostSubnets(archive: ArchiveView): readonly HostSubnet[] | undefined {
  const subnets = namedResourcesIn(archive, 'config/hostsubnet').map(({ name, resource }) => ({
    name: nameAt(resource, 'host') ?? name,
    egressIps: addressesAt(resource, 'egressIPs'),
    egressCidrs: textsAt(resource, 'egressCIDRs').filter((cidr) => cidrPattern.test(cidr)),
  }));
  return subnets.length === 0 ? undefined : subnets.sort((a, b) => (a.name < b.name ? -1 : 1));
}

const octet = '(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)';
const addressPattern = new RegExp(`^${octet}(?:\\.${octet}){3}$`);
const cidrPattern = new RegExp(`^${octet}(?:\\.${octet}){3}/(?:[12]?\\d|3[0-2])$`);

function addressesAt(value: JsonValue, member: string): string[] {
  return [...new Set(textsAt(value, member).filter((address) => addressPattern.test(address)))];
}

function textsAt(value: JsonValue, member: string): string[] {
  return listAt(value, member).filter((text) => typeof text === 'string');
}
