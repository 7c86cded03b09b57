/**
 * `ccx <command>`: one binary for every role and tool. Each command's code is loaded only when it is asked for, so that a role starts
 * fast and a fault in one cannot keep another from starting.
 */
import { Command } from 'commander';
import type { ProcessInput } from './platform/config/process-input.ts';
import { readProcessInput } from './platform/config/process-input.ts';
import { readVersion } from './platform/config/version.ts';
import { describeFailure } from './platform/lifecycle/run-role.ts';
import type { OpenDeadNotifications } from './tools/dead-letters/dead-letter.ts';
import { sendSpansIfAsked } from './tools/spans/spans-if-asked.ts';

interface CommandModule {
  /** The commands that the module registers, with what `ccx --help` says of them. */
  readonly commands: Readonly<Record<string, string>>;
  readonly load: () => Promise<{ register(program: Command, input: ProcessInput): void }>;
}

const modules: readonly CommandModule[] = [
  {
    commands: { 'all-in-one': 'everything in one process on an embedded PostgreSQL: archives in, notifications out' },
    load: () => import('./all-in-one/commands.ts'),
  },
  {
    commands: {
      backup: 'copies an all-in-one into a folder, beside it while it runs',
      restore: 'makes an all-in-one, or the tables of one, again from a backup',
    },
    load: () => import('./all-in-one/backup/commands.ts'),
  },
  {
    commands: {
      ingress: 'role: takes uploads, stores archives, announces them',
      clusters: 'which there are, whose they are, their names: list, move, name, retire',
    },
    load: () => import('./services/ingress/commands.ts'),
  },
  {
    commands: { 'data-pipeline': 'role: fetches announced archives, runs the rules, publishes reports' },
    load: () => import('./services/data-pipeline/commands.ts'),
  },
  {
    commands: { writer: 'role: stores reports in the notification database' },
    load: () => import('./services/notification-writer/commands.ts'),
  },
  {
    commands: {
      notifier: 'role: decides what is new and notifies the owners',
      explain: 'what was decided about a cluster, why, and when it could next be notified',
      notifications: 'what became of notifications: list, show, retry, discard, audit',
      receivers: "receivers of one's own: list, test, preview, resume",
    },
    load: () => import('./services/notification-service/commands.ts'),
  },
  {
    commands: { content: "role: serves the rules' content" },
    load: () => import('./services/content-service/commands.ts'),
  },
  {
    commands: {
      tracker: 'role: keeps what the services did with each request',
      trace: "one archive's way through the hops, and where it stopped",
    },
    load: () => import('./services/payload-tracker/commands.ts'),
  },
  {
    commands: { results: 'role: what clusters, hubs and people read of what was found' },
    load: () => import('./services/results-api/commands.ts'),
  },
  {
    commands: { 'dead-letters': 'what could not be processed or sent: list, show, replay, discard' },
    load: async () => {
      const { registerDeadLettersCommands } = await import('./tools/dead-letters/commands.ts');
      const open: OpenDeadNotifications = async (database) =>
        (await import('./services/notification-service/commands.ts')).openDeadNotifications(database);
      return { register: (program, input) => registerDeadLettersCommands(program, input, open) };
    },
  },
  {
    commands: { db: 'the tables in the database: init, migrate, status, grants, cleanup' },
    load: () => import('./tools/database/commands.ts'),
  },
  {
    commands: { acks: 'rules that are disabled for a cluster or an organization: add, list, remove' },
    load: () => import('./tools/acknowledgements/commands.ts'),
  },
  {
    commands: { tokens: 'bearer tokens of clusters, hubs and people: add, list, revoke' },
    load: () => import('./tools/tokens/commands.ts'),
  },
  {
    commands: { audit: 'what people changed with commands: list' },
    load: () => import('./tools/audit/commands.ts'),
  },
  {
    commands: { roles: 'roles that run on a database: alive or stale, version, readiness' },
    load: () => import('./tools/roles/commands.ts'),
  },
  {
    commands: {
      rules: 'the rules: list, show, check an archive, coverage over the stored reports; new, test, explain: your own',
    },
    load: () => import('./tools/rules/commands.ts'),
  },
  {
    commands: { simulate: 'uploads archives of made-up clusters to an ingress' },
    load: () => import('./tools/cluster-simulator/commands.ts'),
  },
];

/** Runs one invocation. Commands set `process.exitCode` themselves when they fail later. */
async function runCli(input: ProcessInput): Promise<void> {
  const program = new Command('ccx')
    .description('From the archive that an OpenShift cluster uploads to the notification its owners read.')
    .version(readVersion(), '--version', 'show the version')
    .exitOverride();
  const wanted = input.args.find((argument) => !argument.startsWith('-'));
  for (const module of modules) {
    if (wanted !== undefined && wanted in module.commands) (await module.load()).register(program, input);
    else
      for (const [name, description] of Object.entries(module.commands)) program.command(name).description(description);
  }
  pointToHelp(program, 'ccx');
  if (input.args.length === 0) {
    program.outputHelp();
    return;
  }
  await program.parseAsync([...input.args], { from: 'user' });
}

/** Behind what is wrong with a command line, the help of the command that it is about. */
function pointToHelp(command: Command, path: string): void {
  command.showHelpAfterError(`(${path} --help lists the ${command.commands.length === 0 ? 'options' : 'commands'})`);
  for (const sub of command.commands) pointToHelp(sub, `${path} ${sub.name()}`);
}

// A reader that has seen enough (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

try {
  const input = readProcessInput();
  await sendSpansIfAsked(input.env);
  await runCli(input);
} catch (error) {
  if (isHelpOrUsage(error)) process.exitCode = error.exitCode;
  else {
    process.stderr.write(`${describeFailure(error)}\n`);
    process.exitCode = 1;
  }
}

/** Commander reports help, version and usage errors by throwing; they have said all there is to say. */
function isHelpOrUsage(error: unknown): error is { readonly exitCode: number } {
  return (
    error instanceof Error && 'exitCode' in error && 'code' in error && String(error.code).startsWith('commander.')
  );
}
