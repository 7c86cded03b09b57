/** The certificates of ingress controllers, from `aggregated/ingress_controllers_certs.json`. Source: data-pipeline.md 7.4. */
import type { ArchiveView } from '../archive-view.ts';
import { listAt, nameAt } from '../json-access.ts';

interface IngressCertificate {
  readonly name: string;
  readonly namespace: string;
  /** RFC 3339; empty where it is not told. */
  readonly notAfter: string;
  /** Ingress controllers that use it. */
  readonly controllers: readonly string[];
}

/** Absent when the file is. */
export function readIngressCertificates(archive: ArchiveView): readonly IngressCertificate[] | undefined {
  const path = 'aggregated/ingress_controllers_certs.json';
  const document = archive.json(path);
  if (!Array.isArray(document)) {
    archive.reject(path);
    return undefined;
  }
  return document.flatMap((certificate) => {
    const name = nameAt(certificate, 'name');
    if (name === undefined) return [];
    return [
      {
        name,
        namespace: nameAt(certificate, 'namespace') ?? '',
        notAfter: nameAt(certificate, 'not_after') ?? '',
        controllers: listAt(certificate, 'controllers').flatMap((controller) => nameAt(controller, 'name') ?? []),
      },
    ];
  });
}
