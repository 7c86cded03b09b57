/** The machine's Go, which some tests ask what the reference, a Go program, would do. */
import { spawnSync } from 'node:child_process';
import { baseEnvironment } from '../base-environment.ts';

/** From here on keys with `\b` and `\f` are written in their short form, as the reference's build does it. */
const minorVersionMin = 22;

/** The archive of Go's makers unpacks there; not every service has it in its PATH. Nothing is fetched, and no C compiler is asked for. */
export function goEnvironment(): Readonly<Record<string, string>> {
  const base = baseEnvironment();
  const PATH = `${base['PATH']}:/usr/local/go/bin`;
  return { ...base, PATH, GOTOOLCHAIN: 'local', GOPROXY: 'off', GOFLAGS: '-buildvcs=false', CGO_ENABLED: '0' };
}

/** Undefined where Go is there. */
export function whyNoGo(): string | undefined {
  const answer = spawnSync('go', ['env', 'GOVERSION'], { env: goEnvironment(), encoding: 'utf8' });
  if (answer.status !== 0) return 'go is not installed';
  const minor = Number(/^go1\.(\d+)/.exec(answer.stdout)?.[1] ?? 0);
  return minor < minorVersionMin ? `${answer.stdout.trim()} is older than go1.${minorVersionMin}` : undefined;
}
