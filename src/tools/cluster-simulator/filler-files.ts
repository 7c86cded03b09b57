/**
 * What a real archive holds besides what our rules look at, so that a made-up one is as large to send, to store and to open: pods of
 * unhealthy operators, by count, size and how well they compress. Deterministic.
 */
import { createHash } from 'node:crypto';

/** A typical archive: so many files more, each with so much that does not compress and so much that does. */
const fillerFiles = 125;
const fillerNoiseCharacters = 760;
const fillerTextRepeats = 11;

/** Path → body of the files to add. A genuine archive of a 4.17 cluster has 187 files, 690 kB, 93 kB packed (ingress.md B.4.4). */
export function typicalFillerFiles(seed: string): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (let index = 0; index < fillerFiles; index += 1) {
    const name = `workload-${index}-${noise(`${seed} name ${index}`, 10)}`;
    const namespace = `openshift-filler-${index % 20}`;
    files.set(`config/pod/${namespace}/${name}.json`, Buffer.from(JSON.stringify(pod(seed, namespace, name))));
  }
  return files;
}

function pod(seed: string, namespace: string, name: string) {
  const container = (index: number) => ({
    name: `container-${index}`,
    image: `quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:${noise(`${seed} ${name} ${index}`, 64)}`,
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'FallbackToLogsOnError',
    imagePullPolicy: 'IfNotPresent',
    securityContext: { capabilities: { drop: ['ALL'] }, allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
  });
  return {
    metadata: {
      name,
      namespace,
      uid: noise(`${seed} ${name} uid`, 32),
      annotations: { note: noise(`${seed} ${name}`, fillerNoiseCharacters) },
    },
    spec: { containers: Array.from({ length: fillerTextRepeats }, (_, index) => container(index % 3)) },
    status: { phase: 'Running', containerStatuses: [{ name: 'container-0', ready: true, restartCount: 0 }] },
  };
}

/** Hexadecimal digits that compress to about half. */
function noise(seed: string, characters: number): string {
  let text = '';
  for (let block = 0; text.length < characters; block += 1) {
    text += createHash('sha256').update(`${seed} ${block}`).digest('hex');
  }
  return text.slice(0, characters);
}
