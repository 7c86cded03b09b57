/**
 * `ccx all-in-one` as a person at a terminal, a script or a supervisor meets it: what it prints where, with which code it ends, what it
 * says when something about its start is wrong, and that nothing is left running when it is gone.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { simulateCluster } from '../../src/tools/cluster-simulator/simulate-cluster.ts';
import { uploadArchive } from '../../src/tools/cluster-simulator/upload-archive.ts';
import { type CcxProcess, type CcxResult, runCcx, startCcx } from '../support/ccx-process.ts';
import { firstCertificate } from '../support/certificates.ts';
import { whyNoInstallation } from '../support/data-folder.ts';
import { startMailServer } from '../support/mail-server.ts';
import { descendantsOf, stillAlive } from '../support/process-tree.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { listening } from '../support/test-server.ts';

/** Only a failing test waits so long. */
const waitMsMax = 120_000;
/** A supervisor loses its patience after ten seconds or so; a busy machine gets some more. */
const stopMsMax = 30_000;

describe('ccx all-in-one', { skip: whyNoInstallation() }, () => {
  const folder = temporaryFolder();

  describe('--once', () => {
    const once = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CcxResult> =>
      runCcx(
        ['all-in-one', '--once', '--data', join(folder, 'once'), '--port', '0', '--log-level', 'silent', ...args],
        env,
      );

    test('without files it finishes what is under way and says what that was', async () => {
      const { code, stdout, stderr } = await once([]);
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(stdout, /^ {2}uploads {11}0 \(0 refused\)$/m);
      assert.match(stdout, /^ {2}reports {11}0 published, 0 stored$/m);
    });

    test('a file that does not exist is named, and the code is 1', async () => {
      const missing = join(folder, 'missing.tar.gz');
      const { code, stdout, stderr } = await once(['--upload', missing]);
      assert.equal(code, 1);
      assert.match(stdout, /^ {2}uploads {11}1 \(1 refused\)$/m);
      assert.match(stderr, /^ccx: .*\/missing\.tar\.gz was refused: cannot be read: ENOENT: .*\n$/);
    });

    test('a refused upload is named with its reason, and the code is 1', async () => {
      const large = join(folder, 'large.tar.gz');
      await writeFile(large, Buffer.alloc(1_001));
      const { code, stderr } = await once(['--upload', large], { INGRESS_DEFAULTMAXSIZE: '1000' });
      assert.equal(code, 1);
      assert.match(stderr, /^ccx: .*\/large\.tar\.gz was refused: status 413: File exceeds maximum file size .*\n$/);
    });

    test('with --mail and --smtp what is new is mailed over TLS, and nobody stands in for the platform', async () => {
      const server = await startMailServer();
      try {
        const { archive, clusterId } = simulateCluster({
          seed: 'mailed',
          now: new Date(),
          findings: ['OPERATOR_UNMANAGED'],
        });
        const [file, authority] = [join(folder, 'mailed.tar.gz'), join(folder, 'mail.crt')];
        await writeFile(file, archive);
        await writeFile(authority, firstCertificate.cert);
        const flags = ['--mail', 'ada@example.com', '--smtp', `127.0.0.1:${server.port}`, '--upload', file];
        const { code, stdout, stderr } = await once(flags, { CCX_ALL_IN_ONE__MAIL__CA_FILE: authority });
        assert.deepEqual([code, stderr], [0, ''], stdout);
        const [{ mail, secure, to } = assert.fail('nothing was mailed')] = server.taken;
        assert.equal(server.taken.length, 1);
        assert.ok(secure);
        assert.deepEqual(to, ['ada@example.com']);
        assert.match(mail.subject!, new RegExp(` for cluster ${clusterId}$`));
        assert.match(stdout, /notification arrived {2}mail\/ada@example\.com, cluster/);
        assert.doesNotMatch(stdout, /notification-backend/);
      } finally {
        await server.close();
      }
    });

    test('a file sets its own settings and those of the roles, whose sections stand below their names; a word misspelt is named', async () => {
      const file = join(folder, 'all-in-one.toml');
      const large = join(folder, 'large-for-the-file.tar.gz');
      await writeFile(large, Buffer.alloc(1_001));
      await writeFile(
        file,
        '[run]\noperations_port = 0\n[ingress.upload]\nbytes_max = 1000\n[notifier.delivery]\nlaese = "1m"\n[writer.batch]\nrecords = 1\n',
      );
      const { code, stdout, stderr } = await once(['--config', file, '--upload', large]);
      assert.equal(code, 1);
      assert.match(
        stderr,
        /large-for-the-file\.tar\.gz was refused: status 413: File exceeds maximum file size \(1000\)/,
      );
      assert.match(stdout, /^warning: .*all-in-one\.toml: unknown key notifier\.delivery\.laese is ignored$/m);
      const wins = await once(['--config', file, '--upload', large], { INGRESS_DEFAULTMAXSIZE: '2000' });
      assert.doesNotMatch(wins.stderr, /413/, 'the environment comes before the file');
    });

    test('--show-configuration says what is in force and from where, and nothing secret', async () => {
      // A pipe, as `--config <(…)` makes one, can be read once.
      const file = join(folder, 'shown.toml');
      execFileSync('mkfifo', [file]);
      const [{ code, stdout, stderr }] = await Promise.all([
        runCcx(['all-in-one', '--show-configuration', '--config', file, '--host', '127.0.0.1'], {
          CCX_ALL_IN_ONE__RUN__DATABASE: 'postgres://ccx:hunter2@db/ccx',
        }),
        writeFile(file, '[run]\nport = 3003\n[writer.batch]\nrecords = 7\n'),
      ]);
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(stdout, /^run\.port +3003 {2}\(file\)$/m);
      assert.match(stdout, /^run\.host +"127\.0\.0\.1" {2}\(flag\)$/m);
      assert.match(stdout, /^run\.database +\(set\) {2}\(environment\)$/m);
      assert.match(stdout, /^retention\.archives +72h {2}\(default\)$/m);
      assert.match(stdout, /^writer\.batch\.records +7 {2}\(file\)$/m);
    });

    const wrong: Readonly<Record<string, readonly [text: string, message: RegExp]>> = {
      'that cannot be read': [
        '[ingress.web]\nconnections_max = "many"\n',
        /^ccx: ingress\.web\.connections_max in .*wrong\.toml cannot be read as integer: "many"/,
      ],
      'that the role would refuse': [
        '[notifier.kafka_broker]\nevent_filter = "("\n',
        /^ccx: the event filter "\(" cannot be used: .*\n {2}change notifier\.kafka_broker\.event_filter; /,
      ],
    };
    for (const [what, [text, message]] of Object.entries(wrong)) {
      test(`a role's setting ${what} ends the start before PostgreSQL, and the showing`, async () => {
        const file = join(folder, 'wrong.toml');
        await writeFile(file, text);
        for (const run of [
          runCcx(['all-in-one', '--show-configuration', '--config', file]),
          once(['--config', file]),
        ]) {
          const { code, stdout, stderr } = await run;
          assert.deepEqual([code, stdout], [1, '']);
          assert.match(stderr, message);
        }
      });
    }

    test('what only a role that starts can find wrong has its name in the file, too', async () => {
      const file = join(folder, 'tokens.toml');
      await writeFile(file, '[ingress.gateway]\ntokens_file = "/nonexistent"\n');
      const { code, stderr } = await once(['--config', file]);
      assert.equal(code, 1);
      assert.match(stderr, /\[TOKENS_UNREADABLE\]\n {2}check the file that ingress\.gateway\.tokens_file names\n$/);
    });

    test('a file that is none ends the start and is named', async () => {
      const { code, stderr } = await once(['--config', join(folder, 'nowhere.toml')]);
      assert.equal(code, 1);
      assert.match(stderr, /fatal error config file: .*nowhere\.toml/);
    });

    test('garbage is taken, dead-lettered with a code, and the code of the process is 1; --json keeps standard output for the summary', async () => {
      const garbage = join(folder, 'garbage.tar.gz');
      await writeFile(garbage, 'this is no archive');
      const { code, stdout, stderr } = await once(['--json', '--upload', garbage]);
      assert.equal(code, 1);
      assert.match(stderr, /^ccx: .*\/garbage\.tar\.gz was dead-lettered: ARCHIVE_FORMAT_UNSUPPORTED \(request \w+; /m);

      assert.equal(stdout.indexOf('\n'), stdout.length - 1, 'one line');
      const { elapsedMs, ...summary } = JSON.parse(stdout) as { readonly elapsedMs: Record<string, number> };
      assert.deepEqual(summary, {
        uploads: 1,
        refused: 0,
        announced: 1,
        reports: 0,
        stored: 0,
        deadLetters: 1,
        decisions: {},
        notifications: {},
      });
      assert.deepEqual(Object.keys(elapsedMs), ['1', '2', '3'], 'it came to hop 3');
    });
  });

  describe('--demo', () => {
    const living = new Set<CcxProcess>();
    const data = () => join(folder, 'demo');
    const start = (...args: string[]): CcxProcess => {
      const process = startCcx({ args: ['all-in-one', '--data', data(), '--log-level', 'silent', ...args] });
      living.add(process);
      return process;
    };
    after(() => {
      for (const process of living) process.kill('SIGKILL');
    });

    /** Stops it as the signal asks, in time, and looks for what it has left. */
    async function stop(process: CcxProcess, signal: NodeJS.Signals): Promise<void> {
      const family = descendantsOf(process.child.pid!);
      assert.ok(family.length >= 2, 'PostgreSQL and its helpers, children that run rules');
      process.kill(signal);
      assert.deepEqual(await process.exited(stopMsMax), { code: 0, signal: null }, process.stderr());
      assert.match(process.stdout(), /^stopping$/m);
      assert.equal(process.stderr(), '');
      assert.deepEqual(stillAlive(family), []);
    }

    test('the first start shows a notification; meanwhile nobody else gets the folder; SIGTERM ends it', async () => {
      const first = start('--demo', '--port', '0');
      await first.waitForOutput(/^A notification arrived\. Its owners would read:$/m, waitMsMax);
      await first.waitForOutput(/^ {2}src\/bin\/ccx trace \w+ --data \S+$/m, waitMsMax);
      await first.waitForOutput(/^20 simulated clusters have reported /m, waitMsMax);
      const listed = await runCcx(['clusters', 'list', '--data', data()]);
      const ids = listed.stdout.match(/^facade00-0000-8[0-9a-f-]+/gm) ?? [];
      assert.equal(new Set(ids).size, 20, listed.stdout);
      assert.match(
        first.stdout(),
        /^ {4}\* The number of control plane nodes is not supported \[Important, just now\]$/m,
      );
      assert.match(first.stdout(), /^Service Log has 3 entries about it\.$/m);

      const second = await runCcx(['all-in-one', '--data', data(), '--port', '0']);
      assert.equal(second.code, 1);
      const [line, hint, ...rest] = second.stderr.trimEnd().split('\n');
      assert.match(
        line!,
        /^ccx: the data in \S+\/demo\/\S* is in use by another running program .*\[EMBEDDED_POSTGRES_IN_USE\]$/,
      );
      assert.match(hint!, /^ {2}.*--data/);
      assert.deepEqual(rest, []);

      await stop(first, 'SIGTERM');
    });

    test('the next start finds what was there and repeats nothing; SIGINT ends it', async () => {
      const [firstDemo] = living;
      const [, requestId] = /ccx trace (\w+) /.exec(firstDemo!.stdout())!;
      const [, mails, entries] = /reported \((\d+) mails, (\d+) entries in Service Log\)/.exec(firstDemo!.stdout())!;
      const next = start('--demo', '--port', '0');
      const [, uploads] = await next.waitForOutput(/^ {2}uploads +(http\S+)$/m, waitMsMax);
      assert.match(next.stdout(), new RegExp(`^ {2}notification backend +a stand-in, ${mails} mailed so far `, 'm'));
      assert.match(next.stdout(), new RegExp(`^ {2}Service Log +a stand-in, ${entries} posted so far `, 'm'));
      assert.equal((await fetch(new URL('/', uploads))).status, 200);
      const trace = await runCcx(['trace', requestId!, '--data', data()]);
      assert.match(trace.stdout, /^all 12 hops done /m, trace.stderr);

      assert.doesNotMatch(next.stdout(), /First start|notification arrived|A notification/);

      const [, token] = /Bearer ([\w-]+)/.exec(next.stdout())!;
      const real = simulateCluster({ seed: 'the first real one', now: new Date() });
      const upload = { url: uploads!, archive: real.archive, clusterId: real.clusterId, gatheredAt: real.gatheredAt };
      assert.equal((await uploadArchive({ ...upload, token: token! })).status, 202);
      await next.waitForOutput(/^A real cluster has reported: the simulated ones are gone\.$/m, waitMsMax);
      const listed = await runCcx(['clusters', 'list', '--data', data()]);
      assert.match(listed.stdout, new RegExp(`^${real.clusterId}`, 'm'));
      assert.doesNotMatch(listed.stdout, /facade00/);
      await stop(next, 'SIGINT');
    });

    test('a port that is taken is said in one sentence, with the flag to change', async () => {
      const { port, close } = await listening(createServer());
      const args = ['all-in-one', '--data', data(), '--port', String(port), '--log-level', 'silent'];
      const { code, stderr } = await runCcx(args);
      close();
      assert.equal(code, 1);
      assert.equal(
        stderr,
        `ccx: cannot listen on 127.0.0.1:${port}: listen EADDRINUSE: address already in use 127.0.0.1:${port} [HTTP_LISTEN]\n` +
          '  choose another port with --port\n',
      );
    });
  });

  test('a data folder that cannot be used is said in one sentence, with the flag to change', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    const closed = join(folder, 'closed');
    await mkdir(closed);
    // The root account may write anywhere, but PostgreSQL does not run under it, and its account must be let in.
    await chmod(closed, process.getuid?.() === 0 ? 0o700 : 0o500);
    for (const path of [join(file, 'data'), join(closed, 'data')]) {
      const { code, stderr } = await runCcx(['all-in-one', '--data', path, '--port', '0']);
      assert.equal(code, 1, path);
      const [line, hint, ...rest] = stderr.trimEnd().split('\n');
      assert.match(line!, /^ccx: .*\[EMBEDDED_POSTGRES_FOLDER\]$/);
      assert.match(hint!, /^ {2}.*--data/);
      assert.deepEqual(rest, []);
    }
    await chmod(closed, 0o700);
  });
});

test('a command, an option or a value that nobody knows is named', async () => {
  const unknown = await runCcx(['all-inn-one']);
  assert.deepEqual([unknown.code, unknown.stdout], [1, '']);
  assert.match(unknown.stderr, /unknown command 'all-inn-one'/);
  const option = await runCcx(['all-in-one', '--oncee']);
  assert.equal(option.code, 1);
  assert.match(option.stderr, /unknown option '--oncee'/);
  const value = await runCcx(['all-in-one', '--port', '65536']);
  assert.equal(value.code, 1);
  assert.match(value.stderr, /^ccx: --port must be at most 65535 \[CONFIG_INVALID\]$/m);
});

test('ccx --version is the version of the package', async () => {
  const { code, stdout } = await runCcx(['--version']);
  const manifest = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  assert.deepEqual([code, stdout], [0, `${(JSON.parse(manifest) as { readonly version: string }).version}\n`]);
});

test('what is wrong with a command line points to the help of its own command', async () => {
  const wrong = [
    ['ccx', 'commands', 'nothing'],
    ['ccx db', 'commands', 'db', 'nothing'],
    ['ccx db cleanup', 'options', 'db', 'cleanup', '--older'],
  ] as const;
  for (const [path, what, ...args] of wrong) {
    const { code, stderr } = await runCcx(args);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`^error: .*\\n\\(${path} --help lists the ${what}\\)\\n$`));
  }
});

test('ccx --help lists the commands', async () => {
  const { code, stdout, stderr } = await runCcx(['--help']);
  assert.deepEqual([code, stderr], [0, '']);
  assert.equal(stdout, commandsHelp);
});

test('ccx all-in-one --help lists flags and environment names with their defaults', async () => {
  const { code, stdout, stderr } = await runCcx(['all-in-one', '--help']);
  assert.deepEqual([code, stderr], [0, '']);
  assert.equal(stdout, allInOneHelp);
});

const commandsHelp = `Usage: ccx [options] [command]

From the archive that an OpenShift cluster uploads to the notification its
owners read.

Options:
  --version       show the version
  -h, --help      display help for command

Commands:
  all-in-one      everything in one process on an embedded PostgreSQL: archives
                  in, notifications out
  backup          copies an all-in-one into a folder, beside it while it runs
  restore         makes an all-in-one, or the tables of one, again from a backup
  ingress         role: takes uploads, stores archives, announces them
  clusters        which there are, whose they are, their names: list, move,
                  name, retire
  data-pipeline   role: fetches announced archives, runs the rules, publishes
                  reports
  writer          role: stores reports in the notification database
  notifier        role: decides what is new and notifies the owners
  explain         what was decided about a cluster, why, and when it could next
                  be notified
  notifications   what became of notifications: list, show, retry, discard,
                  audit
  receivers       receivers of one's own: list, test, preview, resume
  content         role: serves the rules' content
  tracker         role: keeps what the services did with each request
  trace           one archive's way through the hops, and where it stopped
  results         role: what clusters, hubs and people read of what was found
  dead-letters    what could not be processed or sent: list, show, replay,
                  discard
  db              the tables in the database: init, migrate, status, grants,
                  cleanup
  acks            rules that are disabled for a cluster or an organization: add,
                  list, remove
  tokens          bearer tokens of clusters, hubs and people: add, list, revoke
  audit           what people changed with commands: list
  roles           roles that run on a database: alive or stale, version,
                  readiness
  rules           the rules: list, show, check an archive, coverage over the
                  stored reports; new, test, explain: your own
  simulate        uploads archives of made-up clusters to an ingress
  help [command]  display help for command
`;

const allInOneHelp = `Usage: ccx all-in-one [options]

everything in one process on an embedded PostgreSQL: archives in, notifications
out

Options:
  --demo                       on its first start, send archives of 20 simulated
                               clusters through
  --no-demo                    none of them (npm start -- --no-demo)
  --once                       stop when the archives of --upload have gone
                               through; exit code 1 unless each reached its end
  --upload <file>              an archive to upload as an operator would; may be
                               repeated
  --json                       with --once: the summary as one JSON object on
                               standard output
  --original-is-gone           once, of a copy: the original does not run and
                               will not start again
  --config <file>              TOML file with the settings below (also
                               CCX_ALL_IN_ONE_CONFIG_FILE)
  --show-configuration         print the settings in force and where each comes
                               from, and end
  --data <string>              Folder that keeps everything; default ./data (as
                               root in a closed folder
                               /var/lib/ccx-notifications) (run.data)
  --host <string>              Address that ingress listens on (run.host)
  --port <integer>             Port of ingress; 0 takes any free one (run.port)
  --tls-cert <string>          PEM file of the certificate of our own ports, and
                               of those between it and its authority; without,
                               they speak plain HTTP (tls.cert_file)
  --tls-key <string>           PEM file of its private key, without a password.
                               Both files are read again when they change
                               (tls.key_file)
  --operations-port <integer>  Port of /metrics and /ready of all services
                               together, on the same address; 0 takes any free
                               one (run.operations_port)
  --kafka <list>               Kafka brokers (host:port) to use in place of the
                               embedded topics (run.kafka)
  --database <string>          PostgreSQL to use in place of the embedded one,
                               postgres://user:password@host/name (run.database)
  --s3 <string>                Bucket to keep archives in, in place of the data
                               folder: http(s)://key:secret@host:port/bucket, or
                               s3://bucket at Amazon; without key and secret the
                               credential chain of AWS; ?region=… and more
                               behind it (run.s3)
  --alertmanager <string>      Alertmanager to post every active issue to, in
                               place of the stand-ins: http(s)://host:port,
                               several with commas between. More about it in
                               [[notifier.receivers]] (run.alertmanager)
  --timeout <duration>         With --once: how long to wait until nothing is in
                               flight (run.idle_timeout)
  --mail <list>                Whom to mail what is new, in place of the
                               stand-ins: one address, or several with commas
                               between (mail.to)
  --smtp <string>              With --mail: the mail server, host or host:port;
                               with smtps:// TLS from the beginning, else
                               STARTTLS (mail.smtp)
  --mail-from <string>         With --mail: the sender; default
                               ccx-notifications at the domain of the first
                               address (mail.from)
  --log-level <string>         Least level of the JSON log lines on standard
                               error, beside the lines for people
                               (logging.level)
  -h, --help                   display help for command

Environment:
  CCX_ALL_IN_ONE__RUN__DATA
      Folder that keeps everything; default ./data (as root in a closed folder /var/lib/ccx-notifications) (string, default "")
  CCX_ALL_IN_ONE__RUN__HOST
      Address that ingress listens on (string, default "127.0.0.1")
  CCX_ALL_IN_ONE__RUN__PORT
      Port of ingress; 0 takes any free one (integer, default 3000)
  CCX_ALL_IN_ONE__TLS__CERT_FILE
      PEM file of the certificate of our own ports, and of those between it and its authority; without, they speak plain HTTP (string, default "")
  CCX_ALL_IN_ONE__TLS__KEY_FILE
      PEM file of its private key, without a password. Both files are read again when they change (string, default "")
  CCX_ALL_IN_ONE__RUN__OPERATIONS_PORT
      Port of /metrics and /ready of all services together, on the same address; 0 takes any free one (integer, default 0)
  CCX_ALL_IN_ONE__RUN__KAFKA
      Kafka brokers (host:port) to use in place of the embedded topics (list, default [])
  CCX_ALL_IN_ONE__RUN__DATABASE
      PostgreSQL to use in place of the embedded one, postgres://user:password@host/name (string; secret: also from the file that *_FILE names)
  CCX_ALL_IN_ONE__RUN__S3
      Bucket to keep archives in, in place of the data folder: http(s)://key:secret@host:port/bucket, or s3://bucket at Amazon; without key and secret the credential chain of AWS; ?region=… and more behind it (string; secret: also from the file that *_FILE names)
  CCX_ALL_IN_ONE__RUN__ALERTMANAGER
      Alertmanager to post every active issue to, in place of the stand-ins: http(s)://host:port, several with commas between. More about it in [[notifier.receivers]] (string; secret: also from the file that *_FILE names)
  CCX_ALL_IN_ONE__RUN__IDLE_TIMEOUT
      With --once: how long to wait until nothing is in flight (duration, default 5m)
  CCX_ALL_IN_ONE__MAIL__TO
      Whom to mail what is new, in place of the stand-ins: one address, or several with commas between (list, default [])
  CCX_ALL_IN_ONE__MAIL__SMTP
      With --mail: the mail server, host or host:port; with smtps:// TLS from the beginning, else STARTTLS (string, default "")
  CCX_ALL_IN_ONE__MAIL__FROM
      With --mail: the sender; default ccx-notifications at the domain of the first address (string, default "")
  CCX_ALL_IN_ONE__MAIL__CA_FILE
      With --mail: PEM file of the authority of the server's certificate, beside the known ones (string, default "")
  CCX_ALL_IN_ONE__MAIL__USERNAME
      With --mail: the login at the server (string, default "")
  CCX_ALL_IN_ONE__MAIL__PASSWORD
      With --mail: the password of mail.username (string; secret: also from the file that *_FILE names)
  CCX_ALL_IN_ONE__RETENTION__ARCHIVES
      How long archives are kept; in a bucket its lifecycle says it (duration, default 72h)
  CCX_ALL_IN_ONE__RETENTION__ARCHIVES_BYTES
      How many bytes of archives are kept; the oldest go first (bytes, default 10737418240)
  CCX_ALL_IN_ONE__RETENTION__TOPICS
      How long embedded topics keep records, dead letters among them (duration, default 168h)
  CCX_ALL_IN_ONE__RETENTION__TOPICS_BYTES
      How many bytes one embedded topic keeps (bytes, default 1073741824)
  CCX_ALL_IN_ONE__LOGGING__LEVEL
      Least level of the JSON log lines on standard error, beside the lines for people (string, default "error")

`;
