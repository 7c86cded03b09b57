/**
 * The tour. One archive of one made-up cluster is followed from the cluster to the people who own it, hop by hop, through the real
 * program: all services run in this process, as `npm start` runs them, on the PostgreSQL of the test run. Nothing here is a mock of ours; what is
 * not ours (the notifications backend, Service Log) is played by stand-ins that are at least as strict as the real ones are known to be.
 *
 * Read it from top to bottom. Each hop says what happens and why it happens in that way, looks at what the hop has left behind, and
 * names the files to open next. It is a test as well: whatever the text says is asserted, and the headings of the hops are those of
 * `src/topology.ts`, so the tour cannot drift away from the program. Run it with
 *
 *     npm test -- follow-an-archive
 *
 * Three words first. An *issue* is something that a rule finds wrong with a cluster. A *target* is one of the two ways by which owners are
 * told: a message to the notifications backend, which mails it, and an entry in the cluster's Service Log. The *reference* is the set of
 * hosted services that do the same; each of them can be replaced by ours, which is why formats and tables are as they are.
 *
 * The services do their work whether somebody looks or not. So the tour never sleeps: it waits for the business events by which each
 * service tells what it has done (src/platform/telemetry/telemetry.ts), and then looks at the thing itself.
 */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { checkIdentityHeader, encodeIdentity, type Identity } from '../src/contracts/identity.ts';
import { parseNotificationMessage } from '../src/contracts/notification-message.ts';
import { parseOcpResults } from '../src/contracts/parse-ocp-results.ts';
import { moduleOfComponent, ruleNameOfComponent, totalRisk } from '../src/contracts/rule-content.ts';
import type { OcpResultsMessage } from '../src/contracts/serialize-ocp-results.ts';
import { shrinkReportText } from '../src/contracts/shrunk-report.ts';
import {
  STATE_SAME,
  STATE_SENT,
  TABLE_CATALOGUES,
  TABLE_NEW_REPORTS,
  TABLE_REPORT_FACTS,
  TABLE_REPORTED,
  TABLE_STORED_POSITIONS,
  TARGET_NOTIFICATIONS_BACKEND,
  TARGET_SERVICE_LOG,
} from '../src/contracts/tables.ts';
import {
  HEADER_IDENTITY,
  HEADER_MESSAGE_ID,
  HEADER_REQUEST_ID,
  HEADER_SERVICE,
  SERVICE_OPENSHIFT,
  TOPIC_NOTIFICATIONS,
  TOPIC_OCP_RESULTS,
  TOPIC_UPLOAD_ANNOUNCE,
} from '../src/contracts/topics.ts';
import { parseUploadAnnouncement, type UploadAnnouncement } from '../src/contracts/upload-announcement.ts';
import { openArchive } from '../src/platform/archive/open-archive.ts';
import { type BusRecord, headerText } from '../src/platform/bus/bus.ts';
import { readTrace } from '../src/platform/records/trace-log.ts';
import { CATALOG_CONTENT_ROOT } from '../src/rules/catalog/content-root.ts';
import { controlPlaneReplicas } from '../src/rules/catalog/external/control_plane_replicas/rule.ts';
import { allRules } from '../src/rules/catalog/index-of-rules.ts';
import { loadContent } from '../src/rules/content/load-content.ts';
import { createArchiveView } from '../src/rules/engine/archive-view.ts';
import { evaluateArchive } from '../src/rules/engine/evaluate-archive.ts';
import { readFacts } from '../src/rules/engine/facts.ts';
import { selectRules } from '../src/rules/engine/rule.ts';
import { defaultRuleSettings } from '../src/rules/engine/rule-settings.ts';
import { reasonSentence } from '../src/services/notification-service/decide/reasons.ts';
import { readExplanation } from '../src/services/notification-service/store/explain.ts';
import { eachMessage, LISTED_STATES, type ListedMessage } from '../src/services/notification-service/store/messages.ts';
import { describeTrace } from '../src/services/payload-tracker/decide/describe-trace.ts';
import { formatTrace } from '../src/services/payload-tracker/format-trace.ts';
import { type SimulatedCluster, simulateCluster } from '../src/tools/cluster-simulator/simulate-cluster.ts';
import { uploadArchive } from '../src/tools/cluster-simulator/upload-archive.ts';
import { HOPS, type HopNumber } from '../src/topology.ts';
import { type Installation, startInstallation } from './support/installation.ts';
import { createTestDatabase } from './support/postgres.ts';
import { listening } from './support/test-server.ts';

test('one archive, followed from a cluster to its owners', async (t) => {
  // All services, started by the same function as `ccx all-in-one` (src/all-in-one/start-all-in-one.ts): it is the map of who needs
  // what. One setting differs from the defaults: the notifications backend is told of important issues only, Service Log of moderate ones
  // as well, so that the two targets come to different decisions about the same report.
  const system = await startInstallation({
    env: { CCX_NOTIFICATION_SERVICE__KAFKA_BROKER__TOTAL_RISK_THRESHOLD: '3' },
    database: await createTestDatabase(),
  });
  t.after(() => system.end());
  const { hop, afterwards, isComplete } = startWalking(t);

  // ---------------------------------------------------------------------------------------------------------------------------------
  // The Insights Operator runs in every OpenShift cluster. Every two hours it collects what describes the cluster's state (versions,
  // nodes, operators, alerts; no secrets) and packs it into a tar.gz of a few hundred small files, nearly all of them JSON. Ours is made by
  // the cluster simulator: a healthy cluster of the rule catalog with two things broken. It has two control-plane nodes where three are
  // needed, and one of its operators is set to Unmanaged.
  //
  // Next: src/tools/cluster-simulator/simulate-cluster.ts, src/rules/catalog/healthy-cluster.ts
  const cluster = await hop(0, 'a cluster packs its state into an archive', async () => {
    const made = makeCluster(system, ['CONTROL_PLANE_NODE_REPLICAS', 'OPERATOR_UNMANAGED']);
    assert.equal(made.archive.subarray(0, 2).toString('hex'), '1f8b', 'gzip begins with these two bytes');

    // The one file that every archive must have: who it is from.
    assert.equal(made.files.get('config/id')?.toString(), made.clusterId);
    const nodes = [...made.files.keys()].filter((path) => path.startsWith('config/node/'));
    assert.equal(nodes.length, 5, 'two control-plane nodes and three workers');
    return made;
  });

  // ---------------------------------------------------------------------------------------------------------------------------------
  // The operator posts the archive as a form. Its User-Agent names the cluster; its token says whose it is. In a hosted
  // installation a gateway in front of ingress checks the token and puts a document into the header `x-rh-identity` that says which
  // organization the sender belongs to, and a request id; ingress believes the gateway. Where there is no gateway, ingress checks tokens
  // itself (docs/operator.md, test/system/operator-with-token.pg.test.ts).
  //
  // Whoever can reach ingress can send anything, so it refuses early, and a refused upload leaves nothing behind: the archive appears in
  // the store only after the whole form was read and found good. The bytes of the archive are not looked at here; unpacking hostile
  // input is left to processes that may die of it (hop 5).
  //
  // Next: src/services/ingress/pipeline.ts (the steps in order), src/services/ingress/request-body.ts (every bound, and why)
  const wire = await tapWire(system.ingress.uploadUrl);
  t.after(() => wire.close());
  const requestId = await hop(1, 'authenticates, bounds and validates the upload', async () => {
    const anonymous = await uploadArchive({ ...uploadOf(cluster), url: system.ingress.uploadUrl });
    assert.equal(anonymous.status, 400);
    assert.match(anonymous.body, /missing x-rh-identity header/);
    const foreign = await uploadArchive({
      ...uploadOf(cluster),
      url: system.ingress.uploadUrl,
      identity: gatewayIdentity,
      contentType: 'application/vnd.redhat.somebody-elses.upload',
    });
    assert.equal(foreign.status, 415, 'the content type names the service that an upload is for');
    assert.deepEqual(await storedArchives(system), []);

    // Now the real one, past a tap on the wire, so that we see what an operator sends, byte by byte.
    const id = system.clock.uuid().replaceAll('-', '');
    const answer = await uploadArchive({
      ...uploadOf(cluster),
      url: wire.url,
      identity: gatewayIdentity,
      requestId: id,
    });
    const { startLine, headers, body } = readHttp(wire.sent());
    assert.equal(startLine, 'POST /api/ingress/v1/upload HTTP/1.1');
    assert.equal(headers.get('user-agent'), `insights-operator/4.20.0-simulated cluster/${cluster.clusterId}`);
    assert.equal(headers.get('transfer-encoding'), 'chunked', 'the operator does not know the length beforehand');
    const boundary = /^multipart\/form-data; boundary=(\w+)$/.exec(headers.get('content-type') ?? '')?.[1];
    assert.deepEqual(
      body,
      Buffer.concat([
        Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="payload.tar.gz"\r\n`),
        Buffer.from('Content-Type: application/vnd.redhat.openshift.periodic\r\n\r\n'),
        cluster.archive,
        Buffer.from(
          `\r\n--${boundary}\r\nContent-Disposition: form-data; name="metadata"; filename="metadata.json"\r\n`,
        ),
        Buffer.from('Content-Type: application/octet-stream\r\n\r\n'),
        Buffer.from(JSON.stringify({ custom_metadata: { gathering_time: wholeSeconds(cluster.gatheredAt) } })),
        Buffer.from(`\r\n--${boundary}--\r\n`),
      ]),
    );

    // What the gateway has added, and what ingress reads out of it. Base64, because HTTP headers are ASCII and names of people are not.
    const identity = checkIdentityHeader(headers.get(HEADER_IDENTITY));
    assert.equal(identity.kind === 'accepted' && identity.identity.orgId, owner.orgId);

    // 202: accepted. The promise behind it is the subject of the next hop.
    assert.equal(answer.status, 202);
    assert.deepEqual(JSON.parse(answer.body), {
      request_id: id,
      upload: { account_number: owner.account, org_id: owner.orgId },
    });
    // The request id is how this upload is called from here to hop 12. The operator keeps it, too, to ask what became of its archive.
    assert.equal(readHttp(wire.answered()).headers.get(HEADER_REQUEST_ID), id);
    return id;
  });

  // ---------------------------------------------------------------------------------------------------------------------------------
  // First the archive is made durable, then it is announced, and only then the operator gets its 202. In the other order an announcement
  // could point to an archive that was never written; and a 202 that came earlier would be a promise that a power cut can break: the
  // operator throws its copy away. Here the store is a directory whose files are synced to the disk; in a big installation it is S3.
  //
  // The announcement does not carry the archive but a link to it: topics are for small messages. The link is signed and ends after a day,
  // because whoever holds it gets the archive.
  //
  // Next: src/services/ingress/announcer.ts (what happens while the bus is away), src/platform/bus/bus.ts (what a bus promises),
  // src/contracts/upload-announcement.ts
  const announced = await hop(2, 'stores the archive, then announces it', async () => {
    const [stored] = system.events.seen('archive-stored', { requestId });
    const [sent] = system.events.seen('upload-announced', { requestId });
    assert(
      Number(stored?.fields['elapsedMs']) < Number(sent?.fields['elapsedMs']),
      'milliseconds since the first byte',
    );
    assert.deepEqual(await storedArchives(system), [requestId], 'the object is called after the request');
    assert.deepEqual(await readFile(join(system.folder.objects, requestId)), cluster.archive);

    const record = await onlyRecord(system, TOPIC_UPLOAD_ANNOUNCE);
    // Ingress serves many products; consumers pick theirs by this header, without opening the message.
    assert.equal(headerText(record, HEADER_SERVICE), SERVICE_OPENSHIFT);
    const announcement = jsonOf<UploadAnnouncement>(record);
    assert.deepEqual(announcement, {
      account: owner.account,
      category: 'periodic',
      content_type: 'application/vnd.redhat.openshift.periodic',
      metadata: {
        custom_metadata: { gathering_time: wholeSeconds(cluster.gatheredAt) },
        reporter: 'ingress',
        stale_timestamp: announcement.metadata.stale_timestamp,
      },
      request_id: requestId,
      principal: owner.orgId,
      org_id: owner.orgId,
      service: SERVICE_OPENSHIFT,
      size: cluster.archive.length,
      url: announcement.url,
      b64_identity: encodeIdentity(gatewayIdentity),
      timestamp: announcement.timestamp,
    } satisfies UploadAnnouncement);

    const link = await fetch(announcement.url);
    assert.deepEqual(Buffer.from(await link.arrayBuffer()), cluster.archive);
    const guess = await fetch(announcement.url.replace(/signature=.{8}/, 'signature=00000000'));
    assert.equal(guess.status, 403, 'knowing the id of an upload is not enough');
    return { record, announcement };
  });

  // ---------------------------------------------------------------------------------------------------------------------------------
  // From here on nobody waits for anybody: the data pipeline takes announcements off the topic when it has room for them. It believes
  // nothing that it reads. What is for another service is passed over; what is not an announcement goes, unchanged and with the reason in
  // its headers, to the dead-letter topic, where people find it with `ccx dead-letters list`.
  //
  // The position in the topic ("offset") is committed only when the archive's report is published, or its message dead-lettered, and never
  // past one that is still in work. So a pipeline that dies does some work twice, and none never.
  //
  // Next: src/services/data-pipeline/pipeline.ts, src/platform/bus/intake/offset-committer.ts
  await hop(3, 'reads and checks the announcement', async () => {
    await system.events.wait('announcement-accepted', { requestId });
    const parsed = parseUploadAnnouncement(announced.record.value);
    assert(parsed.kind === 'received');
    // The identity travels along in base64. It says whose the cluster is; the notification will go to the people of that organization.
    assert.deepEqual(parsed.announcement.identity, gatewayIdentity);
    assert.equal(parsed.announcement.cluster_name, cluster.clusterId);

    const refused = parseUploadAnnouncement(Buffer.from('{"url":"http://example.com"}'));
    assert(refused.kind === 'refused');
    assert.equal(refused.error.code, 'ANNOUNCEMENT_SCHEMA', 'codes are stable: runbooks and alerts go by them');
  });

  // ---------------------------------------------------------------------------------------------------------------------------------
  // The link is followed to hosts that are allowed by name, and nowhere else: a forged announcement must not make the pipeline fetch
  // pages inside somebody's network. The archive is read as a stream and never unpacked onto a disk. Reading stops at the first byte past
  // a limit (bytes packed and unpacked, entries, the ratio between the two), so a bomb costs no more memory than an honest archive.
  //
  // Rules do not want files, they want facts: "which nodes are there, and what is their role". All facts are read before the
  // first rule runs, under a budget of bytes and values: an archive that costs too much is to blame itself, not the rule that looked. A
  // missing or broken file is an absent fact, never an error; the report tells the two apart.
  //
  // Next: src/platform/archive/open-archive.ts, src/rules/engine/archive-view.ts, src/rules/engine/facts/nodes.ts
  const facts = await hop(4, 'fetches the archive and opens it under limits', async () => {
    const [opened] = await system.events.wait('archive-opened', { requestId });
    const files = await openArchive(cluster.archive);
    assert.equal(opened?.fields['files'], files.size);

    const view = createArchiveView(files);
    assert.equal(view.below('config/node').length, 5);
    const options = { beforeFact: () => undefined, leaveOut: new Set<string>() };
    const read = readFacts(view, options, (fact, cause) => assert.fail(`fact ${fact}: ${cause}`)).facts;
    assert.deepEqual(
      read.nodes?.map(({ roles }) => roles.join()),
      ['master', 'master', 'worker', 'worker', 'worker'],
    );
    return read;
  });

  // ---------------------------------------------------------------------------------------------------------------------------------
  // A rule is a pure function from facts to a verdict: something is wrong, with an error key and the details that its text will need; or
  // nothing to say. It knows no clock: "now" is the time at which the archive was gathered, or the same archive would give other reports
  // on other days.
  //
  // Rules run in a small pool of child processes. Archives are hostile and rules are code; one that loops or eats memory cannot be
  // stopped from inside the process that it is in. A child says which rule it is about to run; when it passes its deadline or its memory
  // limit, it is killed, and the archive runs again without that rule. So a bad rule costs that rule's findings, not the archive and not
  // the service.
  //
  // Next: src/rules/README.md (how to add a rule), src/rules/engine/evaluate-archive.ts, src/platform/runner-pool/runner-pool.ts
  const report = await hop(5, 'lets the rules look at the archive', async () => {
    await system.events.wait('rules-evaluated', { requestId });
    const context = { now: cluster.gatheredAt, settings: defaultRuleSettings };
    assert.deepEqual(controlPlaneReplicas.evaluate(facts, context), {
      type: 'rule',
      key: 'CONTROL_PLANE_NODE_REPLICAS',
      details: { version: facts.clusterVersion?.branch, replica_count: 2 },
    });

    // All rules over the same files, as a child does it. Two of them have something to say.
    const evaluation = evaluateArchive({
      files: cluster.files,
      rules: selectRules(allRules),
      clock: system.clock,
      ...context,
    });
    assert.deepEqual(
      evaluation.report.reports.map(({ rule_id }) => rule_id),
      ['control_plane_replicas|CONTROL_PLANE_NODE_REPLICAS', 'operator_unmanaged|OPERATOR_UNMANAGED'],
    );
    assert.deepEqual(evaluation.failures, []);
    return evaluation.report;
  });

  // ---------------------------------------------------------------------------------------------------------------------------------
  // The report is a message that other systems read as well (in the hosted installation, everything that shows recommendations to
  // customers), so its form is that of the hosted pipeline to the letter, down to the order of its members. The key of the record is
  // the cluster: records of one key stay in order, and the newest report of a cluster must not be overtaken by an older one.
  //
  // Next: src/contracts/serialize-ocp-results.ts, src/contracts/serialize-ocp-results.ts
  const published = await hop(6, 'publishes the report', async () => {
    await system.events.wait('report-published', { requestId });
    const record = await onlyRecord(system, TOPIC_OCP_RESULTS);
    assert.equal(record.key?.toString(), cluster.clusterId);
    const message = jsonOf<OcpResultsMessage>(record);
    assert.deepEqual(Object.keys(message), [
      'OrgID',
      'ClusterName',
      'Report',
      'LastChecked',
      'Version',
      'RequestId',
      'Metadata',
      'AccountNumber',
    ]);
    assert.equal(message.OrgID, Number(owner.orgId), 'a text in the announcement, a number from here on');
    assert.equal(message.ClusterName, cluster.clusterId);
    assert.equal(message.RequestId, requestId);
    assert.equal(message.LastChecked, announced.announcement.timestamp);
    // The child found what we found.
    assert.deepEqual(message.Report.reports, report.reports);
    return record;
  });

  // ---------------------------------------------------------------------------------------------------------------------------------
  // The writer could be fed by somebody else's pipeline, so it takes what the reference's writer takes and refuses what that refuses, in
  // the same order. It goes over the bytes once and builds no objects of what it will only copy: reports are some kilobytes, and there
  // are many of them.
  //
  // Next: src/services/notification-writer/pipeline.ts, src/contracts/parse-ocp-results.ts
  const received = await hop(7, 'parses and checks the report', async () => {
    await system.events.wait('report-parsed', { requestId });
    const parsed = parseOcpResults(published.value);
    assert(parsed.kind === 'received');
    assert.equal(parsed.report.orgId, Number(owner.orgId));
    assert.equal(parsed.report.clusterName, cluster.clusterId);

    const refused = parseOcpResults(Buffer.from('{"OrgID": 1, "AccountNumber": 1, "ClusterName": "c"}'));
    assert(refused.kind === 'refused');
    assert.equal(refused.refused.error.code, 'REPORT_MISSING_ATTRIBUTE');
    return parsed.report;
  });

  // ---------------------------------------------------------------------------------------------------------------------------------
  // Notifications need the hits and nothing else of a report, so the rest is cut away before it is stored. `new_reports` has the columns
  // of the hosted database, because other programs read it. What the writer has to remember for itself lies beside it in the schema
  // `ccx`: for every row, which message it came from. A message that is delivered twice (a bus may do that after a crash) is recognised
  // by it and makes no second row; and it is how a row finds its request again. And, for every row, what the hosted table has no column
  // for: which rules say nothing in this report and why, and which catalogue made it. A missing hit means "the problem is gone" only
  // where the rule ran.
  //
  // All of it is written in one transaction, and the position in the topic is committed afterwards. When it commits, the writer also
  // calls out on a channel of PostgreSQL that there is something new. That is a hint only: whoever misses it looks again soon anyway.
  //
  // Next: src/services/notification-writer/store.ts, docs/guarantees.md
  const row = await hop(8, 'stores the shrunk report', async () => {
    await system.events.wait('report-stored', { requestId });
    const { rows } = await system.database.query<NewReportRow>(`SELECT * FROM ${TABLE_NEW_REPORTS}`);
    assert.equal(rows.length, 1);
    const stored = rows[0]!;
    assert.equal(stored.org_id, Number(owner.orgId));
    assert.equal(stored.account_number, Number(owner.account));
    assert.equal(stored.cluster, cluster.clusterId);
    assert.equal(stored.kafka_offset, published.offset);

    assert.equal(stored.report, shrinkReportText(received.report).text.toString());
    assert.deepEqual(Object.keys(JSON.parse(stored.report)), ['reports']);
    assert(stored.report.length < published.value!.length / 2, 'more than half of the message was not needed');

    // Up to here all is stored: what lies behind it is new, what lies before it a repeat, if its report is still there.
    const { rows: positions } = await system.database.query(
      `SELECT topic, partition, next_offset FROM ${TABLE_STORED_POSITIONS}`,
    );
    assert.deepEqual(positions, [
      { topic: TOPIC_OCP_RESULTS, partition: published.partition, next_offset: published.offset + 1n },
    ]);

    const { rows: facts } = await system.database.query<{ rules: string[] }>(
      `SELECT f.request_id, f.gathered_at, f.cluster_version, f.did_not_run, c.rules
         FROM ${TABLE_REPORT_FACTS} AS f JOIN ${TABLE_NEW_REPORTS} USING (org_id, cluster, updated_at)
         JOIN ${TABLE_CATALOGUES} AS c ON c.version = f.catalogue_version AND c.rules_sha256 = f.catalogue_rules_sha256`,
    );
    assert.deepEqual(
      facts.map(({ rules, ...others }) => others),
      [
        {
          request_id: requestId,
          gathered_at: wholeSeconds(cluster.gatheredAt).replace('T', ' ').replace('Z', ''),
          cluster_version: report.info[0]?.details['version'],
          did_not_run: null,
        },
      ],
      'every rule of the catalogue ran over this archive',
    );
    for (const { component } of report.reports) assert(facts[0]!.rules.includes(moduleOfComponent(component)));
    return stored;
  });

  // ---------------------------------------------------------------------------------------------------------------------------------
  // The notification service wakes up. For each cluster with something new it loads three things in one go: the newest report, what was
  // notified before (nothing yet), and the rules' content. The content is what people know about a rule: its texts, how likely the
  // problem is to bite and how much it hurts. The mean of the last two is the *total risk*, 1 to 4: low, moderate, important, critical.
  //
  // Only the newest report of a cluster counts. When the service was away for a day, owners get one notification about the state of
  // now, not twelve about the past.
  //
  // Next: src/services/notification-service/pipeline.ts, src/rules/catalog/external/control_plane_replicas/ (a rule with its content)
  const content = await hop(
    9,
    "loads the newest reports, what was notified before, and the rules' content",
    async () => {
      const [loaded] = await system.events.wait('report-loaded', { requestId });
      assert.equal(loaded?.fields['cluster'], cluster.clusterId);

      const { directory } = await loadContent(CATALOG_CONTENT_ROOT);
      const risks = report.reports.map(({ component, key }) => {
        const { metadata } = directory.rules[ruleNameOfComponent(component)]!.error_keys[key]!;
        return [key, totalRisk(metadata.impact.impact, metadata.likelihood)];
      });
      assert.deepEqual(Object.fromEntries(risks), { CONTROL_PLANE_NODE_REPLICAS: 3, OPERATOR_UNMANAGED: 2 });
      return directory;
    },
  );

  // ---------------------------------------------------------------------------------------------------------------------------------
  // The heart of the system. For every issue and every target there is one decision, and every decision has a reason with a name. The
  // deciding function is pure: report, memory, content, settings and the time go in, decisions come out. So "why was I told?" and "why
  // was I not told?" have an answer (`ccx explain <cluster>`), and each rule of deciding is tested without any machinery.
  //
  // The decisions go into the ledger, one row per issue and target. What is to be said goes into the outbox, worded and
  // with its id, in the same transaction. Whatever dies from here on, what was decided is not forgotten. While it waits to be sent for the
  // first time it is looked at again: what is no longer true by then is not said.
  //
  // Next: src/services/notification-service/decide/decide-cluster.ts, .../decide/reasons.ts (every reason there is)
  const outgoing = await hop(10, 'decides, issue by issue, with a named reason', async () => {
    assert.deepEqual(await decisionsAbout(system, { requestId, count: 4 }), {
      'notification-backend': { CONTROL_PLANE_NODE_REPLICAS: 'new', OPERATOR_UNMANAGED: 'below-threshold' },
      'service-log': { CONTROL_PLANE_NODE_REPLICAS: 'new', OPERATOR_UNMANAGED: 'new' },
    });
    assert.equal(reasonSentence('new'), 'It was not notified before.');
    assert.equal(reasonSentence('below-threshold'), 'The event filter of the target does not let it pass.');

    // The backend gets one message per cluster and report, with an event per issue; Service Log one entry per issue.
    const messages = await outbox(system);
    assert.deepEqual(
      messages.map(({ event_type_id, issues }) => [event_type_id, ...issues.map(({ errorKey }) => errorKey)]),
      [
        [TARGET_NOTIFICATIONS_BACKEND, 'CONTROL_PLANE_NODE_REPLICAS'],
        [TARGET_SERVICE_LOG, 'CONTROL_PLANE_NODE_REPLICAS'],
        [TARGET_SERVICE_LOG, 'OPERATOR_UNMANAGED'],
      ],
    );
    return messages;
  });

  // ---------------------------------------------------------------------------------------------------------------------------------
  // Delivery takes messages out of the outbox under a lease and sends them. It cannot be exactly once: when the answer to a send is lost,
  // nobody knows whether it arrived. So a message that may have arrived is sent again *with the same id*, and the id is such that the
  // receiver recognises it: the backend drops a message whose `rh-message-id` it has seen within a day; for Service Log the entry is
  // looked up by its id before it is posted again. From its first attempt on a message keeps its bytes, and they are stored before they are sent;
  // until then only its id is settled. What nobody accepts inside the retry window is listed as dead, with its reason.
  //
  // The backend is fed through a topic and gives no answer at all. A message that it does not like is lost without a trace; so ours is
  // checked against the strictest reading of the format before it is sent.
  //
  // Next: src/contracts/notification-message.ts, src/services/notification-service/targets/
  await hop(11, 'renders and delivers to every enabled target', async () => {
    await system.events.wait('notification-delivered', { requestId }, 3);
    const sent = await outbox(system);
    const toBackend = sent.find(({ event_type_id }) => event_type_id === TARGET_NOTIFICATIONS_BACKEND)!;
    assert.deepEqual(
      sent.map(({ id }) => id),
      outgoing.map(({ id }) => id),
      'under the ids that they were decided with',
    );

    const record = await onlyRecord(system, TOPIC_NOTIFICATIONS);
    const message = parseNotificationMessage(record.value!.toString());
    assert.equal(record.value?.toString(), toBackend.body, 'what the outbox holds, byte for byte');
    assert.equal(message.id, toBackend.id);
    assert.equal(headerText(record, HEADER_MESSAGE_ID), message.id);
    assert.equal(message.org_id, owner.orgId);
    assert.equal(message.context.display_name, cluster.clusterId);
    const known = content.rules['control_plane_replicas']?.error_keys['CONTROL_PLANE_NODE_REPLICAS'];
    assert.deepEqual(
      message.events.map(({ payload }) => [payload.rule_description, payload.total_risk]),
      [[known?.metadata.description, '3']],
    );

    // The stand-in for the backend has mailed it. This is what an owner reads.
    await settled(system);
    const [mailed] = system.standIns.backend?.notifications() ?? [];
    assert.equal(mailed?.id, message.id);
    assert.match(
      mailed?.mail?.text ?? '',
      /The number of control plane nodes is not supported \[Important, just now\]/,
    );

    // Service Log shows texts, so the reason is rendered here, from the rule's template and the details that the rule gave.
    const entries = system.standIns.serviceLog?.entries() ?? [];
    assert.deepEqual(entries.map(({ summary, severity }) => [severity, summary]).sort(), [
      ['Major', 'The number of control plane nodes is not supported'],
      ['Warning', 'An operator is in the unmanaged state'],
    ]);
    assert.deepEqual(
      entries.map(({ event_stream_id }) => event_stream_id).sort(),
      outgoing.flatMap(({ id, event_type_id }) => (event_type_id === TARGET_SERVICE_LOG ? [id] : [])).sort(),
    );
    const entry = entries.find(({ severity }) => severity === 'Major');
    assert.equal(entry?.cluster_uuid, cluster.clusterId);
    assert.match(entry?.description ?? '', /\b2\b.*\n[\s\S]*\[More details\]\(https:/, 'it names the number of nodes');
  });

  // ---------------------------------------------------------------------------------------------------------------------------------
  // Only what was delivered is recorded as sent. `reported` is the table that the hosted service keeps, too: one row per cluster, target
  // and report, with the report that was told. It stays the truth that programs share: somebody who deletes a row of it asks for the
  // notification to be sent again, and gets it. The ledger knows more, issue by issue: when the owners were told, by which message, and
  // when they could next be told of the same issue if it does not go away (the cooldown, per issue).
  //
  // Next: src/services/notification-service/store/outcomes.ts, docs/database.md
  await hop(12, 'records the outcome', async () => {
    await system.events.wait('outcome-recorded', { requestId }, 3);
    const reported = await reportedRows(system);
    assert.deepEqual(
      reported.map(({ event_type_id, state, cluster: of, updated_at }) => ({ event_type_id, state, of, updated_at })),
      [TARGET_NOTIFICATIONS_BACKEND, TARGET_SERVICE_LOG].map((event_type_id) => ({
        event_type_id,
        state: STATE_SENT,
        of: cluster.clusterId,
        updated_at: row.updated_at,
      })),
    );
    for (const { report: told } of reported) assert.equal(told, row.report);

    const { issues } = await readExplanation(system.database, cluster.clusterId);
    assert.deepEqual(
      issues.map((issue) => [issue.event_type_id, issue.error_key, issue.state, issue.message_state]),
      [
        [TARGET_NOTIFICATIONS_BACKEND, 'CONTROL_PLANE_NODE_REPLICAS', 'notified', 'delivered'],
        [TARGET_NOTIFICATIONS_BACKEND, 'OPERATOR_UNMANAGED', 'open', null],
        [TARGET_SERVICE_LOG, 'CONTROL_PLANE_NODE_REPLICAS', 'notified', 'delivered'],
        [TARGET_SERVICE_LOG, 'OPERATOR_UNMANAGED', 'notified', 'delivered'],
      ],
    );
    for (const issue of issues.filter(({ state }) => state === 'notified')) {
      assert(outgoing.some(({ id }) => id === issue.notification_id));
      assert(issue.next_eligible_at! > issue.last_notified_at!, 'its cooldown runs');
    }
  });
  isComplete();

  // ---------------------------------------------------------------------------------------------------------------------------------
  // The whole way at one glance. Every service has told, beside its work, what it did with the request id; the payload tracker has kept
  // it. `ccx trace <request-id>` prints it, and an archive that got stuck shows where, and why. (Hop 4 has no line of its own: the status
  // topic of the hosted services has no word for it.)
  //
  // Next: src/services/payload-tracker/README.md
  await afterwards('the request id leads from hop to hop', async () => {
    await settled(system);
    const story = describeTrace(await readTrace(system.database, requestId));
    const hops = story.lines.flatMap(({ hop: done }) => done ?? []);
    assert.deepEqual([...new Set(hops)], [1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12]);
    assert.deepEqual(story.ending, { kind: 'complete', text: 'all 12 hops done' });
    assert.equal(story.cluster, cluster.clusterId);
    assert.match(formatTrace(story), /notification-backend: new 1, below-threshold 1; service-log: new 2/);
  });

  // ---------------------------------------------------------------------------------------------------------------------------------
  // Two hours later the operator uploads again, and nothing has changed. The archive goes the same way and becomes a report of its own.
  // The decisions are others: the owners know already. Nothing is sent; that it was looked at is recorded, with the state "same".
  await afterwards('the same archive again tells nobody anything', async () => {
    const again = await upload(system, cluster);
    assert.deepEqual(await decisionsAbout(system, { requestId: again, count: 4 }), {
      'notification-backend': {
        CONTROL_PLANE_NODE_REPLICAS: 'already-notified',
        OPERATOR_UNMANAGED: 'below-threshold',
      },
      'service-log': { CONTROL_PLANE_NODE_REPLICAS: 'already-notified', OPERATOR_UNMANAGED: 'already-notified' },
    });
    await settled(system);
    assert.equal((await outbox(system)).length, outgoing.length);
    assert.equal((await system.readTopic(TOPIC_NOTIFICATIONS)).length, 1);
    assert.equal(system.standIns.serviceLog?.entries().length, 2);
    const reported = await reportedRows(system);
    assert.deepEqual(
      reported.map(({ state }) => state),
      [STATE_SENT, STATE_SENT, STATE_SAME, STATE_SAME],
    );

    // Its trace ends with the decision, and says so: there was nothing to deliver.
    const story = describeTrace(await readTrace(system.database, again));
    assert.equal(story.reachedHop, 10);
    assert.equal(story.ending.kind, 'decided');
  });

  // ---------------------------------------------------------------------------------------------------------------------------------
  // Then something new is wrong: the cluster's release has passed its end of life. The owners are told of that, and of that alone. Note
  // what happens to the old issue: the cluster's version is among its details, and the version is another one now. An issue is the same
  // if organization, cluster, rule and error key are the same, whatever its details say; or a counter in them would mail people every
  // two hours.
  await afterwards('one more finding is one more issue told, and no other', async () => {
    const changed = makeCluster(system, ['CONTROL_PLANE_NODE_REPLICAS', 'OPERATOR_UNMANAGED', 'OCP4X_BEYOND_EOL']);
    const later = await upload(system, changed);
    assert.deepEqual(await decisionsAbout(system, { requestId: later, count: 6 }), {
      'notification-backend': {
        CONTROL_PLANE_NODE_REPLICAS: 'already-notified',
        OCP4X_BEYOND_EOL: 'new',
        OPERATOR_UNMANAGED: 'below-threshold',
      },
      'service-log': {
        CONTROL_PLANE_NODE_REPLICAS: 'already-notified',
        OCP4X_BEYOND_EOL: 'new',
        OPERATOR_UNMANAGED: 'already-notified',
      },
    });
    await system.events.wait('outcome-recorded', { requestId: later }, 2);
    await settled(system);
    const reports = (await system.readTopic(TOPIC_OCP_RESULTS)).map(
      (record) => jsonOf<OcpResultsMessage>(record).Report,
    );
    const [first, second, third] = reports.map(({ reports: [hit] }) => [hit?.key, hit?.details['version']]);
    assert.deepEqual(second, first);
    assert.deepEqual(third, ['CONTROL_PLANE_NODE_REPLICAS', '4.15']);
    assert.notDeepEqual(third, first);

    const messages = (await system.readTopic(TOPIC_NOTIFICATIONS))
      .map((record) => parseNotificationMessage(record.value!.toString()))
      .filter(({ id }) => outgoing.every((sentBefore) => sentBefore.id !== id));
    assert.deepEqual(
      messages.map(({ events }) => events.map(({ payload }) => payload.rule_description)),
      [['The installed OpenShift release is past its end of life']],
    );
    assert.deepEqual(
      system.standIns.serviceLog
        ?.entries()
        .slice(2)
        .map(({ summary }) => summary),
      ['The installed OpenShift release is past its end of life'],
    );
  });

  // That was the way. What happens when something breaks on it is in docs/failure-modes.md; what is promised all the same, with the tests
  // that kill the process at each of these hops, in docs/guarantees.md.
});

// -------------------------------------------------------------------------------------------------------------------------------------
// Helpers.

const clusterId = '5d5892d3-1f74-4ccf-91af-548dfc9767aa';
/** Whose the cluster is. */
const owner = { orgId: '1234567', account: '7654321' };

/** What a gateway makes of the operator's token. */
const gatewayIdentity = {
  identity: {
    account_number: owner.account,
    org_id: owner.orgId,
    type: 'System',
    internal: { org_id: owner.orgId },
    system: { cluster_id: clusterId },
  },
} satisfies Identity;

/** The same cluster every time: the names of its nodes follow from the seed. */
function makeCluster(system: Installation, findings: readonly string[]): SimulatedCluster {
  return simulateCluster({ seed: 'tour', clusterId, now: system.clock.now(), findings });
}

function uploadOf({ archive, gatheredAt }: SimulatedCluster) {
  return { archive, clusterId, gatheredAt };
}

/** Answers the request id. */
async function upload(system: Installation, cluster: SimulatedCluster): Promise<string> {
  const requestId = system.clock.uuid().replaceAll('-', '');
  const url = system.ingress.uploadUrl;
  const answer = await uploadArchive({ ...uploadOf(cluster), url, identity: gatewayIdentity, requestId });
  assert.equal(answer.status, 202, answer.body);
  return requestId;
}

/**
 * Runs the hops as tests of their own, in order, under the names of the topology. A hop needs what the hops before it found, so the
 * tour ends with the first one that fails.
 */
function startWalking(t: TestContext) {
  const walked: HopNumber[] = [];
  const afterwards = async <T>(title: string, look: () => Promise<T>): Promise<T> => {
    const found: { value?: { readonly is: T }; error?: unknown } = {};
    await t.test(title, async () => {
      try {
        found.value = { is: await look() };
      } catch (error) {
        found.error = error;
        throw error;
      }
    });
    if (found.value === undefined) throw found.error ?? new Error(`${title} did not run, and the rest needs it`);
    return found.value.is;
  };
  return {
    afterwards,
    hop<T>(number: HopNumber, step: string, look: () => Promise<T>): Promise<T> {
      const known = HOPS[walked.length];
      assert.deepEqual(
        { number, step },
        { number: known?.number, step: known?.step },
        'src/topology.ts says otherwise',
      );
      walked.push(number);
      return afterwards(`hop ${number}, ${known?.service}: ${step}`, look);
    },
    isComplete: () =>
      assert.deepEqual(
        walked,
        HOPS.map(({ number }) => number),
      ),
  };
}

async function settled(system: Installation): Promise<void> {
  assert(await system.waitUntilIdle(30_000), 'something is still in flight');
}

/** Names of the objects in the store. Folders and `.meta` files are the store's own business. */
async function storedArchives(system: Installation): Promise<string[]> {
  const entries = await readdir(system.folder.objects, { withFileTypes: true });
  return entries.filter((entry) => entry.isFile() && !entry.name.endsWith('.meta')).map(({ name }) => name);
}

async function onlyRecord(system: Installation, topic: string): Promise<BusRecord> {
  const records = await system.readTopic(topic);
  assert.equal(records.length, 1, `records of ${topic}`);
  return records[0]!;
}

function jsonOf<T>(record: BusRecord): T {
  return JSON.parse(record.value!.toString()) as T;
}

/** Target → error key → reason, once that many decisions about the request were made. */
async function decisionsAbout(
  system: Installation,
  { requestId, count }: { readonly requestId: string; readonly count: number },
): Promise<Record<string, Record<string, string>>> {
  const decisions: Record<string, Record<string, string>> = {};
  for (const { fields } of await system.events.wait('issue-decided', { requestId }, count)) {
    decisions[String(fields['target'])] ??= {};
    decisions[String(fields['target'])]![String(fields['errorKey'])] = String(fields['reason']);
  }
  return decisions;
}

/** By target and issue. */
async function outbox(system: Installation) {
  const filter = { states: LISTED_STATES, cluster: clusterId };
  const messages: ListedMessage[] = [];
  for await (const message of eachMessage(system.database, filter, { messagesMax: 100 })) messages.push(message);
  const order = ({ event_type_id, issues }: ListedMessage) => `${event_type_id} ${issues[0]?.errorKey}`;
  return messages.sort((a, b) => (order(a) < order(b) ? -1 : 1));
}

/** By state and target. */
interface ReportRow {
  readonly org_id: number;
  readonly account_number: number;
  /** character(36), blank-padded. */
  readonly cluster: string;
  readonly report: string;
  readonly updated_at: string;
}

interface NewReportRow extends ReportRow {
  readonly kafka_offset: bigint;
}

interface ReportedRow extends ReportRow {
  readonly notification_type: number;
  readonly state: number;
  readonly notified_at: string;
  readonly error_log: string | null;
  readonly event_type_id: number;
}

async function reportedRows(system: Installation): Promise<readonly ReportedRow[]> {
  const { rows } = await system.database.query<ReportedRow>(
    `SELECT * FROM ${TABLE_REPORTED} ORDER BY state, event_type_id, notified_at`,
  );
  return rows;
}

/** RFC 3339 without a fraction, as the operator writes it. */
function wholeSeconds(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}

/** Listens on a port of its own, passes everything on, and keeps what went by in both directions. */
async function tapWire(url: string) {
  const { hostname, port } = new URL(url);
  const sent: Buffer[] = [];
  const answered: Buffer[] = [];
  const server = createServer((operator) => {
    const ingress = connect(Number(port), hostname);
    operator.on('data', (bytes) => sent.push(bytes)).pipe(ingress);
    ingress.on('data', (bytes) => answered.push(bytes)).pipe(operator);
    operator.on('error', () => ingress.destroy());
    ingress.on('error', () => operator.destroy());
  });
  const { port: ownPort, close } = await listening(server);
  const tap = new URL(url);
  tap.port = String(ownPort);
  return {
    url: tap.href,
    sent: () => Buffer.concat(sent),
    answered: () => Buffer.concat(answered),
    close,
  };
}

/** Start line, headers and body of an HTTP/1.1 message, the chunks of its body put together. */
function readHttp(message: Buffer) {
  const end = message.indexOf('\r\n\r\n');
  const [startLine = '', ...lines] = message.subarray(0, end).toString('latin1').split('\r\n');
  const headers = new Map(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const rest = message.subarray(end + 4);
  return { startLine, headers, body: headers.get('transfer-encoding') === 'chunked' ? joinChunks(rest) : rest };
}

/** Each chunk is its length in hexadecimal, a line end, the bytes, a line end; the last one is empty. */
function joinChunks(body: Buffer): Buffer {
  const chunks: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const lineEnd = body.indexOf('\r\n', at);
    const length = Number.parseInt(body.subarray(at, lineEnd).toString('latin1'), 16);
    chunks.push(body.subarray(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 2 + length + 2;
  }
  return Buffer.concat(chunks);
}
