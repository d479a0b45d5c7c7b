import { appendFileSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolders } from '../base/make-folders';

/** A cell that was run. Sessions and lines count from 1. */
export interface HistoryEntry {
  readonly session: number;
  readonly line: number;
  readonly source: string;
}

/** What a client asks of the history; see Jupyter's messaging protocol. */
export interface HistoryRequest {
  readonly hist_access_type?: string;
  readonly session?: number;
  readonly start?: number;
  readonly stop?: number | null;
  readonly n?: number | null;
  readonly pattern?: string;
  readonly unique?: boolean;
}

/** Beyond this size, only the newer half of the file is kept. */
const mostBytes = 4 << 20;

/** A line of the file. The cells of a session share a key. */
interface Stored {
  readonly session: string;
  readonly line: number;
  readonly source: string;
}

/**
 * The cells that a user has run, in this session and earlier ones, in all notebooks.
 *
 * They are kept in a file to which every kernel appends lines, so concurrent kernels do no harm. If the file cannot be
 * written, the cells of this session are kept in memory only.
 */
export class History {
  private readonly path: string;
  private readonly key = `${new Date().toISOString()} ${process.pid}`;
  private readonly own: Stored[] = [];
  private readonly complain: (text: string) => void;
  private isWritable = true;

  /** @param complain called once if the file cannot be written */
  constructor(path: string, complain: (text: string) => void) {
    this.path = path;
    this.complain = complain;
  }

  /** Adds a cell. */
  add(line: number, source: string): void {
    const entry: Stored = { session: this.key, line, source };
    this.own.push(entry);
    if (!this.isWritable) return;
    try {
      if (this.own.length === 1) {
        makeFolders(dirname(this.path));
        this.shorten();
      }
      appendFileSync(this.path, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
    } catch (error) {
      this.isWritable = false;
      this.complain(`kernel: cannot write the history to ${this.path}: ${String(error)}`);
    }
  }

  private shorten(): void {
    const size = statSync(this.path, { throwIfNoEntry: false })?.size ?? 0;
    if (size <= mostBytes) return;
    const text = readFileSync(this.path, 'utf8');
    const half = text.indexOf('\n', text.length / 2) + 1;
    const next = `${this.path}.${process.pid}`;
    writeFileSync(next, text.slice(half), { mode: 0o600 });
    renameSync(next, this.path);
  }

  /** The entries that a request asks for, oldest first. */
  find(request: HistoryRequest): HistoryEntry[] {
    const all = this.read();
    // Before its first cell, this session has no entry.
    const current = (all.at(-1)?.session ?? 0) + (this.own.length === 0 ? 1 : 0);
    const { hist_access_type: kind = 'tail', n, pattern = '*', unique = false } = request;
    if (kind === 'range') {
      const { session = 0, start = 1, stop } = request;
      const wanted = session <= 0 ? current + session : session;
      return all.filter(
        (entry) =>
          entry.session === wanted && entry.line >= start && entry.line < (stop ?? Infinity),
      );
    }
    const isWanted = kind === 'search' ? glob(pattern) : (): boolean => true;
    let found = all.filter(({ source }) => isWanted(source));
    if (unique) {
      const newest = new Map(found.map((entry) => [entry.source, entry]));
      found = found.filter((entry) => newest.get(entry.source) === entry);
    }
    return typeof n === 'number' ? found.slice(Math.max(0, found.length - n)) : found;
  }

  /** All entries; this session comes last. */
  private read(): HistoryEntry[] {
    const others = this.stored().filter(({ session }) => session !== this.key);
    const numbers = new Map<string, number>();
    return [...others, ...this.own].map(({ session, line, source }) => {
      const number = numbers.get(session) ?? numbers.size + 1;
      numbers.set(session, number);
      return { session: number, line, source };
    });
  }

  private stored(): Stored[] {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch {
      return [];
    }
    return text.split('\n').flatMap((line) => {
      try {
        const entry = JSON.parse(line) as Partial<Stored>;
        const { session, line: at, source } = entry;
        const isWhole =
          typeof session === 'string' && typeof at === 'number' && typeof source === 'string';
        return isWhole ? [{ session, line: at, source }] : [];
      } catch {
        // The end of the file, or a line that a full disk cut short.
        return [];
      }
    });
  }
}

/** Matches one character. */
type One = (character: string) => boolean;

/**
 * Matches like SQLite's GLOB, with which IPython searches its history: `*`, `?` and `[...]`, over the whole text. For any
 * pattern, each character is examined at most once per part of the pattern.
 */
export function glob(pattern: string): (text: string) => boolean {
  const parts: ('*' | One)[] = [];
  for (const [found, not, set] of pattern.matchAll(/\[(\^?)([^\]]+)\]|[\s\S]/gu)) {
    if (set !== undefined) parts.push(oneOf(set, not === '^'));
    else if (found === '*') parts.push('*');
    else if (found === '?') parts.push(() => true);
    else parts.push((character) => character === found);
  }
  return (text) => matches(parts, Array.from(text));
}

/** The characters of a set, as in `a-z_`. */
function oneOf(set: string, isNegated: boolean): One {
  const ranges = Array.from(set.matchAll(/([\s\S])-([\s\S])|[\s\S]/gu), ([one, from, to]) => [
    from ?? one,
    to ?? one,
  ]);
  return (character) =>
    ranges.some(([from, to]) => from <= character && character <= to) !== isNegated;
}

function matches(parts: readonly ('*' | One)[], text: readonly string[]): boolean {
  let [part, at] = [0, 0];
  /** Index of the last star, and the end of the text that it matches. */
  let star = -1;
  let reach = 0;
  while (at < text.length) {
    const one = parts[part];
    if (one === '*') {
      star = part;
      reach = at;
      part += 1;
    } else if (one !== undefined && one(text[at])) {
      part += 1;
      at += 1;
    } else if (star >= 0) {
      // Only the last star needs to match more: those before it have their shortest matches.
      reach += 1;
      at = reach;
      part = star + 1;
    } else {
      return false;
    }
  }
  return parts.slice(part).every((one) => one === '*');
}
