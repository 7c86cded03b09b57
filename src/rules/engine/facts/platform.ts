/** The cluster-wide singletons of `config.openshift.io` that rules ask about: infrastructure, network, proxy. */
import type { ArchiveView } from '../archive-view.ts';
import { nameAt, objectAt, textAt } from '../json-access.ts';
import { resourceAt } from './resources.ts';

/** As `status.platformStatus.type` says it. */
export const PLATFORM_VSPHERE = 'VSphere';

interface Infrastructure {
  /** `AWS`, `Azure`, `BareMetal`, `None`, `VSphere`, …; empty when unknown. */
  readonly platform: string;
  /** `HighlyAvailable`, `SingleReplica`, `External`, `DualReplica`, `HighlyAvailableArbiter`; empty before 4.8. */
  readonly controlPlaneTopology: string;
  readonly infrastructureTopology: string;
}

export function readInfrastructure(archive: ArchiveView): Infrastructure | undefined {
  const document = resourceAt(archive, 'config/infrastructure.json');
  if (objectAt(document, 'status') === undefined) return undefined;
  return {
    platform: nameAt(document, 'status', 'platformStatus', 'type') ?? nameAt(document, 'status', 'platform') ?? '',
    controlPlaneTopology: textAt(document, 'status', 'controlPlaneTopology') ?? '',
    infrastructureTopology: textAt(document, 'status', 'infrastructureTopology') ?? '',
  };
}

interface Network {
  /** `OVNKubernetes`, `OpenShiftSDN` or a third party's name. */
  readonly networkType: string;
}

/** Absent while no network type is set. */
export function readNetwork(archive: ArchiveView): Network | undefined {
  const document = resourceAt(archive, 'config/network.json');
  const networkType = nameAt(document, 'spec', 'networkType') ?? nameAt(document, 'status', 'networkType');
  return networkType === undefined ? undefined : { networkType };
}

interface Proxy {
  readonly httpProxy: string;
  readonly httpsProxy: string;
}

/** Absent when the cluster uses no proxy. */
export function readProxy(archive: ArchiveView): Proxy | undefined {
  const document = resourceAt(archive, 'config/proxy.json');
  const value = (name: string) => textAt(document, 'spec', name) || textAt(document, 'status', name) || '';
  const proxy = { httpProxy: value('httpProxy'), httpsProxy: value('httpsProxy') };
  return proxy.httpProxy === '' && proxy.httpsProxy === '' ? undefined : proxy;
}
