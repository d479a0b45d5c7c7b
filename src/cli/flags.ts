import { parseArgs } from 'node:util';
import { UsageError } from '../base/errors';
import { nearest, nearestHint } from '../base/nearest';

/** One flag of a command. */
export interface Flag {
  /**
   * The name of the value in the help; a flag without it takes no value. With several words, as in `A B`, the flag takes as
   * many arguments. They are joined by spaces, and also available separately in {@link Given.lists}.
   */
  readonly value?: string;
  /** A single letter as its short form, as in `-o`. */
  readonly short?: string;
  readonly help: string;
  /** Accepts several occurrences and keeps every value, in order. */
  readonly isRepeatable?: boolean;
}

/** A command of the command line. */
export interface Command {
  readonly name: string;
  /**
   * The positional arguments, as in `EXPERIMENT`. One in brackets is optional, and the last one may be repeatable, as in
   * `EXPERIMENT…`.
   */
  readonly positionals: readonly string[];
  readonly flags: Readonly<Record<string, Flag>>;
  readonly examples: readonly string[];
  /** Returns the exit code. */
  readonly run: (given: Given) => Promise<number>;
}

/** The parsed arguments of a command. */
export interface Given {
  readonly positionals: readonly string[];
  readonly values: ReadonlyMap<string, string>;
  /** By flag: the values of a repeatable flag, or the words of a flag that takes several. */
  readonly lists: ReadonlyMap<string, readonly string[]>;
  readonly switches: ReadonlySet<string>;
}

/**
 * Parses the arguments of a command with Node's `parseArgs`. Flags are `--name value` or `--name=value`; names also accept `_`
 * for `-`, so the reference's `--data_dir` works. Everything after `--` is positional.
 *
 * @throws UsageError for an unknown flag (naming the nearest), a missing or unexpected value, a flag given twice, or
 *   too many or too few positionals
 */
export function parseFlags(command: Command, args: readonly string[]): Given {
  const flags = new Map(Object.entries(command.flags));
  const queue = tokensOf(flags, args);
  const given = {
    positionals: [] as string[],
    values: new Map<string, string>(),
    lists: new Map<string, string[]>(),
    switches: new Set<string>(),
  };
  for (let token = queue.shift(); token !== undefined; token = queue.shift()) {
    if (token.kind === 'positional') given.positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const { name } = token;
    const flag = flags.get(name);
    if (flag === undefined) throw unknownFlag(command, args[token.index].split('=')[0]);
    if (flag.value === undefined) {
      if (token.value !== undefined)
        throw new UsageError(`--${name} takes no value; write it alone.`);
      given.switches.add(name);
      continue;
    }
    const words = flag.value.split(' ').length;
    const parts = valueOf(token, words, queue);
    if (parts === undefined) {
      const needs = words === 1 ? 'a value' : `${words} values`;
      throw new UsageError(`--${name} needs ${needs}: --${name} ${flag.value}.`);
    }
    const value = parts.join(' ');
    if (words > 1) given.lists.set(name, parts);
    if (flag.isRepeatable === true) {
      given.lists.set(name, [...(given.lists.get(name) ?? []), value]);
    } else if (given.values.has(name)) {
      throw new UsageError(`--${name} is given twice; give it once.`);
    } else given.values.set(name, value);
  }
  checkPositionals(command, given.positionals);
  return given;
}

type Token = NonNullable<ReturnType<typeof parseArgs>['tokens']>[number];
type OptionToken = Extract<Token, { kind: 'option' }>;

function tokensOf(flags: ReadonlyMap<string, Flag>, args: readonly string[]): Token[] {
  const options = Object.fromEntries(
    [...flags].map(([name, { value, short }]) => {
      const type: 'string' | 'boolean' = value === undefined ? 'boolean' : 'string';
      return [name, { type, multiple: true, ...(short === undefined ? {} : { short }) }];
    }),
  );
  const end = args.includes('--') ? args.indexOf('--') : args.length;
  const spelt = args.map((arg, index) => {
    const [name, ...value] = arg.split('=');
    return index < end && arg.startsWith('--')
      ? [name.replaceAll('_', '-'), ...value].join('=')
      : arg;
  });
  const { tokens } = parseArgs({
    args: spelt,
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  return tokens;
}

/**
 * The words of an option's value; those after the first are taken from the queue. Undefined if one is missing. A word that
 * looks like a flag counts as a flag, unless it is written as `--name=--value`.
 */
function valueOf(
  { value, inlineValue }: OptionToken,
  words: number,
  queue: Token[],
): string[] | undefined {
  const isMissing = value === undefined || value === '' || (!inlineValue && value.startsWith('--'));
  if (isMissing) return undefined;
  if (inlineValue) {
    const inline = words === 1 ? [value] : value.split(' ');
    return inline.length === words ? inline : undefined;
  }
  const rest = queue
    .slice(0, words - 1)
    .flatMap((token) => (token.kind === 'positional' ? token.value : []));
  if (rest.length < words - 1) return undefined;
  queue.splice(0, words - 1);
  return [value, ...rest];
}

function unknownFlag(command: Command, arg: string): UsageError {
  const name = arg.replace(/^-+/, '').replaceAll('_', '-');
  const isLong = arg.startsWith('--');
  // Compares without dashes, which all flags share: they would make any two short names similar.
  const found = nearest(name, Object.keys(command.flags));
  const hint = found === undefined ? '' : ` Nearest: "--${found}".`;
  return new UsageError(
    `${command.name}: unknown flag ${arg}${isLong ? '' : '; long flags start with two dashes'}.` +
      `${hint} "cifar10-fast ${command.name} --help" lists them.`,
  );
}

function checkPositionals(command: Command, positionals: readonly string[]): void {
  const least = command.positionals.filter((name) => !name.startsWith('[')).length;
  if (positionals.length < least) {
    throw new UsageError(
      `${command.name}: ${command.positionals[positionals.length]} is missing. ` +
        `Usage: cifar10-fast ${usage(command)}`,
    );
  }
  const isOpen = command.positionals.at(-1)?.includes('…') === true;
  if (positionals.length > command.positionals.length && !isOpen) {
    throw new UsageError(
      `${command.name}: "${positionals[command.positionals.length]}" is one argument too many. ` +
        `Usage: cifar10-fast ${usage(command)}`,
    );
  }
}

/** As in `train EXPERIMENT [flags]`. */
export function usage(command: Command): string {
  return [command.name, ...command.positionals, '[flags]'].join(' ');
}

/** The help of one command, with its one-line summary. */
export function commandHelp(command: Command, summary: string): string {
  const flags = Object.entries(command.flags).map(
    ([name, { value, short, help }]) =>
      [
        `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`,
        help,
      ] as const,
  );
  const width = Math.max(...flags.map(([left]) => left.length));
  return [
    `cifar10-fast ${usage(command)}`,
    '',
    summary,
    '',
    ...flags.map(([left, help]) => `  ${left.padEnd(width)}  ${help}`),
    '',
    ...command.examples.map((example) => `  $ npx cifar10-fast ${example}`),
    '',
  ].join('\n');
}

/**
 * Refuses flags that an action does not read, so that none is ignored.
 *
 * @param action as in `runs delete` or `report --steps`
 * @throws UsageError naming the first such flag
 */
export function checkUnread(given: Given, action: string, read: readonly string[]): void {
  const unread = [...given.values.keys(), ...given.lists.keys(), ...given.switches].find(
    (name) => !read.includes(name),
  );
  if (unread !== undefined) {
    throw new UsageError(`${action} does not use --${unread}. Leave it out.`);
  }
}

/** The integer given for a flag, at least `least`, or `fallback`. */
export function wholeNumber(given: Given, name: string, least: number, fallback: number): number {
  const text = given.values.get(name);
  if (text === undefined) return fallback;
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (value > Number.MAX_SAFE_INTEGER) {
    throw new UsageError(
      `--${name} "${text}" is above 2^53 - 1, the largest number that counts exactly.`,
    );
  }
  if (!Number.isSafeInteger(value) || value < least) {
    throw new UsageError(
      `--${name} "${text}" is not a whole number of at least ${least}. Give one, as in --${name} ${fallback}.`,
    );
  }
  return value;
}

/** The word given for a flag, one of several allowed, or `fallback`. */
export function oneOf<T extends string>(
  given: Given,
  name: string,
  words: readonly T[],
  fallback: T,
): T {
  const text = given.values.get(name);
  if (text === undefined) return fallback;
  const found = words.find((word) => word === text);
  if (found === undefined) {
    throw new UsageError(
      `--${name} "${text}" is not one of ${words.join(', ')}.${nearestHint(text, words)}`,
    );
  }
  return found;
}
