import { inspect } from 'node:util';
import type { MimeBundle } from '../base/kernel-host';

/** The method with which a value defines how it is shown, as in Deno. */
const displayMethod = Symbol.for('Jupyter.display');

/** What that method returns. */
type Shown = MimeBundle | undefined;

/** Text beyond this is cut, because a notebook stores every result. */
const mostCharacters = 100_000;

/** A value as the result of a cell: as it defines itself, else as text; `undefined` if there is nothing to show. */
export async function represent(value: unknown): Promise<MimeBundle | undefined> {
  if (value === undefined) return undefined;
  const shown: { [displayMethod]?: () => Shown | Promise<Shown> } | null = value;
  if (typeof shown?.[displayMethod] === 'function') return shown[displayMethod]();
  const isTable = typeof value === 'string' && value.includes('\n');
  return { 'text/plain': shorten(isTable ? value : inspect(value)) };
}

/** Cuts text that is too long for a notebook, and appends how much is missing. */
export function shorten(text: string): string {
  const more = text.length - mostCharacters;
  if (more <= 0) return text;
  return `${text.slice(0, mostCharacters)}\n... ${more.toLocaleString('en')} more characters`;
}

/** Text for any value, even one that throws when it is inspected. */
export function describe(value: unknown): string {
  for (const options of [{}, { customInspect: false }]) {
    try {
      return inspect(value, options);
    } catch {
      // The next attempt skips the value's own inspection method.
    }
  }
  return `a value of type ${typeof value} that cannot be shown`;
}

/** Symbols with which Node's tracking of asynchronous work marks objects. */
const tracking = new Set([
  'async_id_symbol',
  'trigger_async_id_symbol',
  'kResourceStore',
  'kResourceStoreSymbol',
]);

/**
 * Hides the properties that tie promises and timers to their cell, so that they print in a notebook as they do in Node.
 */
export function hideTracking(): void {
  const timer = setTimeout(() => undefined, 0);
  const immediate = setImmediate(() => undefined);
  clearTimeout(timer);
  clearImmediate(immediate);
  for (const of of [Promise.prototype, prototypeOf(timer), prototypeOf(immediate)]) {
    const original = (of as Inspectable)[inspect.custom];
    Object.defineProperty(of, inspect.custom, {
      configurable: true,
      writable: true,
      value(this: object, ...given: unknown[]): unknown {
        hide(this);
        // An object whose inspection method returns the object is printed as usual.
        return original === undefined ? this : Reflect.apply(original, this, given);
      },
    });
  }
}

interface Inspectable {
  readonly [inspect.custom]?: (...given: unknown[]) => unknown;
}

function prototypeOf(value: object): object {
  return Object.getPrototypeOf(value) as object;
}

function hide(value: object): void {
  for (const key of Object.getOwnPropertySymbols(value)) {
    if (!tracking.has(key.description ?? '')) continue;
    const property = Object.getOwnPropertyDescriptor(value, key);
    if (property?.enumerable !== true || property.configurable !== true) continue;
    Object.defineProperty(value, key, { ...property, enumerable: false });
  }
}
