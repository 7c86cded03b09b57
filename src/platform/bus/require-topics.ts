/**
 * What a role asks of brokers before it starts: that they answer, and that the topics it works with are there. Brokers have
 * administrators, and nobody creates topics by writing to them, so a missing one is told by name and setting instead of being met by the
 * first message. Called by the roles' `commands.ts`; topics of the embedded bus are made by the roles themselves.
 */
import { CcxError, errorCode, errorText } from '../../encoding/ccx-error.ts';
import type { Bus } from './bus.ts';

export interface NeededTopic {
  readonly name: string;
  /** What to change where the name is wrong. */
  readonly setting: string;
  /** The service goes on without it. */
  readonly optional?: boolean;
}

/**
 * Rejects with the bus's code: `BUS_TOPIC_UNKNOWN` and `BUS_TOPIC_PERMISSION` name every such topic and its setting; `BUS_UNREACHABLE` is
 * retryable. `onMissing` hears of optional ones. A name that is empty is not needed;
 * whether the brokers answer is asked all the same.
 */
export async function requireTopics(
  bus: Pick<Bus, 'kind' | 'check' | 'admin'>,
  needed: readonly NeededTopic[],
  onMissing: (error: CcxError) => void = () => undefined,
): Promise<void> {
  const wanted = bus.kind === 'kafka' ? needed.filter(({ name }) => name !== '') : [];
  if (wanted.length === 0) return bus.check();
  const problems = await Promise.all(wanted.map((topic) => problemWith(bus, topic)));
  const troubled = problems.filter((problem) => problem !== undefined);
  for (const problem of troubled) if (problem.topic.optional === true) onMissing(describe([problem]));
  const fatal = troubled.filter(({ topic }) => topic.optional !== true);
  const first = fatal[0];
  if (first !== undefined) throw describe(fatal.filter(({ code }) => code === first.code));
}

interface Problem {
  readonly topic: NeededTopic;
  readonly code: string;
  readonly cause: unknown;
}

async function problemWith(bus: Pick<Bus, 'admin'>, topic: NeededTopic): Promise<Problem | undefined> {
  try {
    // Reads nothing: it looks the topic up by name, which alone tells a missing one from a forbidden one.
    await bus.admin.read({ topic: topic.name, partition: 0, offset: 0n }, 0);
    return undefined;
  } catch (cause) {
    const code = errorCode(cause);
    if (code === 'BUS_TOPIC_UNKNOWN' || code === 'BUS_TOPIC_PERMISSION') return { topic, code, cause };
    throw cause;
  }
}

/** One error for topics with the same problem. */
function describe(problems: readonly Problem[]): CcxError {
  const names = problems.map(({ topic }) => topic.name).join(', ');
  const settings = problems.map(({ topic }) => topic.setting).join(', ');
  const { code, cause } = problems[0]!;
  const unknown = code === 'BUS_TOPIC_UNKNOWN';
  return new CcxError(unknown ? `there is no topic ${names} on the bus` : `this user may not use topic ${names}`, {
    code,
    category: 'configuration',
    hint: unknown
      ? `create it with your Kafka's tools, or change ${settings}`
      : `grant this role's Kafka user the right to use it, or change ${settings}`,
    // The adapter's own error says the same; its causes say nothing more.
    cause: cause instanceof CcxError ? cause.cause : undefined,
  });
}

/**
 * The topics of a service that has a dead-letter topic of its own, without which the first bad message would hold up all others. Called at
 * their start by the writer and the payload tracker.
 */
interface OwnTopics {
  /** Made here, because nobody else makes it. */
  readonly own: string;
  /** Made here on the embedded bus only; on brokers they are their administrator's business. Empty names are passed over. */
  readonly others: readonly string[];
  readonly warn: (text: string) => void;
}

/** Brokers may keep the right to create topics to themselves: then the own topic has to be there already, and that is a warning. */
export async function ensureOwnTopics(bus: Bus, { own, others, warn }: OwnTopics): Promise<void> {
  const names = [own, ...(bus.kind === 'postgres' ? others : [])].filter((name) => name !== '');
  try {
    await bus.admin.ensureTopics(names.map((name) => ({ name, partitions: 1 })));
  } catch (error) {
    if (bus.kind === 'postgres') throw error;
    warn(`topic ${own} could not be created, make sure that it exists: ${errorText(error)}`);
  }
}
