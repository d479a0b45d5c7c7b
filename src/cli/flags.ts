import { UsageError } from '../base/errors';
import { nearestHint } from '../base/nearest';

/** One flag of a command. */
export interface Flag {
  /**
   * Shown in the help in the place of the value; a flag without it takes no value. Several words, as in `A B`, take so
   * many arguments, which are given on with spaces between.
   */
  readonly value?: string;
  /** One letter that may stand for it behind a single dash. */
  readonly short?: string;
  readonly help: string;
  /** May be given more than once; every value is kept, in order. */
  readonly isRepeatable?: boolean;
}

/** A command of the command line. */
export interface Command {
  readonly name: string;
  /** In one line. */
  readonly summary: string;
  /**
   * What is expected after the name, as in `RECORD`; a name in brackets may be left out, and the last one may stand for
   * several, as in `RECORD…`.
   */
  readonly positionals: readonly string[];
  readonly flags: Readonly<Record<string, Flag>>;
  readonly examples: readonly string[];
  /** Returns the exit code. */
  readonly run: (given: Given) => Promise<number>;
}

/** What the user gave a command. */
export interface Given {
  readonly positionals: readonly string[];
  readonly values: ReadonlyMap<string, string>;
  /** The values of flags that may be repeated, by flag. */
  readonly lists: ReadonlyMap<string, readonly string[]>;
  readonly switches: ReadonlySet<string>;
}

/**
 * Reads the arguments of a command. Flags are `--name value` or `--name=value`; `_` may stand for `-` in a name, so the
 * reference's `--data_dir` works. Everything after `--` is positional.
 *
 * @throws UsageError for an unknown flag (naming the nearest) or one with a single dash, a value that is missing or not
 *   wanted, or too many or too few positionals
 */
export function parseFlags(command: Command, args: readonly string[]): Given {
  const positionals: string[] = [];
  const values = new Map<string, string>();
  const lists = new Map<string, readonly string[]>();
  const switches = new Set<string>();
  for (let at = 0; at < args.length; at++) {
    const arg = args[at];
    if (arg === '--') {
      positionals.push(...args.slice(at + 1));
      break;
    }
    const short = Object.entries(command.flags).find(([, { short }]) => `-${short}` === arg)?.[0];
    if (/^-[^-]/.test(arg) && short === undefined) {
      throw new UsageError(
        `${command.name}: "${arg}" is no flag; flags begin with two dashes.${nearestFlag(arg.slice(1), command)} ` +
          `"cifar10-fast ${command.name} --help" lists them.`,
      );
    }
    if (!arg.startsWith('--') && short === undefined) {
      positionals.push(arg);
      continue;
    }
    const [rawName, ...rest] = short === undefined ? arg.slice(2).split('=') : [short];
    const name = rawName.replaceAll('_', '-');
    const flag = command.flags[name];
    if (flag === undefined) {
      throw new UsageError(
        `${command.name}: there is no flag --${rawName}.${nearestFlag(name, command)} ` +
          `"cifar10-fast ${command.name} --help" lists them.`,
      );
    }
    if (flag.value === undefined) {
      if (rest.length > 0) throw new UsageError(`--${name} takes no value; write it alone.`);
      switches.add(name);
      continue;
    }
    // What looks like a flag is one, and the value before it was forgotten; `--name=--value` says otherwise.
    const words = flag.value.split(' ').length;
    const taken = rest.length > 0 ? [rest.join('=')] : args.slice(at + 1, at + 1 + words);
    at += rest.length > 0 ? 0 : words;
    const isForgotten = (word: string): boolean =>
      word === '' || (rest.length === 0 && word.startsWith('--'));
    if (taken.length < words || taken.some(isForgotten)) {
      const needs = words === 1 ? 'a value' : `${words} values`;
      throw new UsageError(`--${name} needs ${needs}: --${name} ${flag.value}.`);
    }
    const value = taken.join(' ');
    if (flag.isRepeatable === true) lists.set(name, [...(lists.get(name) ?? []), value]);
    else if (values.has(name)) throw new UsageError(`--${name} is given twice; give it once.`);
    else values.set(name, value);
  }
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
  return { positionals, values, lists, switches };
}

function nearestFlag(name: string, command: Command): string {
  return nearestHint(
    `--${name}`,
    Object.keys(command.flags).map((known) => `--${known}`),
  );
}

/** As in `train RECORD [flags]`. */
export function usage(command: Command): string {
  return [command.name, ...command.positionals, '[flags]'].join(' ');
}

/** The help of one command. */
export function commandHelp(command: Command): string {
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
    command.summary,
    '',
    ...flags.map(([left, help]) => `  ${left.padEnd(width)}  ${help}`),
    '',
    ...command.examples.map((example) => `  $ npx cifar10-fast ${example}`),
    '',
  ].join('\n');
}

/** A whole number of at least `least` given for a flag, or `fallback`. */
export function wholeNumber(given: Given, name: string, least: number, fallback: number): number {
  const text = given.values.get(name);
  if (text === undefined) return fallback;
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(value) || value < least) {
    throw new UsageError(
      `--${name} "${text}" is not a whole number of at least ${least}. Give one, as in --${name} ${fallback}.`,
    );
  }
  return value;
}

/** One of a few words given for a flag, or `fallback`. */
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
      `--${name} "${text}" is none of ${words.join(', ')}.${nearestHint(text, words)}`,
    );
  }
  return found;
}
