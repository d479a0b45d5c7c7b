import { inspect } from 'node:util';
import type { MimeBundle } from '../base/kernel-host';

/** A method of a value that knows how it wants to be shown, as in Deno. */
const displayMethod = Symbol.for('Jupyter.display');

/** A notebook keeps every result: beyond this, text is cut. */
const mostCharacters = 100_000;

/** A value as the result of a cell: in the way it asks for, else as text; `undefined` if there is nothing to show. */
export function represent(value: unknown): MimeBundle | undefined {
  if (value === undefined) return undefined;
  const shown: { [displayMethod]?: () => MimeBundle | undefined } | null = value;
  if (typeof shown?.[displayMethod] === 'function') return shown[displayMethod]();
  const isTable = typeof value === 'string' && value.includes('\n');
  return { 'text/plain': shorten(isTable ? value : inspect(value)) };
}

/** Text that is no longer than a notebook should keep; says how much is missing. */
export function shorten(text: string): string {
  const more = text.length - mostCharacters;
  if (more <= 0) return text;
  return `${text.slice(0, mostCharacters)}\n... ${more.toLocaleString('en')} more characters`;
}

/** Text for any value, whatever it does when it is asked. */
export function describe(value: unknown): string {
  for (const options of [{}, { customInspect: false }]) {
    try {
      return inspect(value, options);
    } catch {
      // The next way asks the value less.
    }
  }
  return `a value of type ${typeof value} that cannot be shown`;
}

/** What Node's tracking of asynchronous work leaves on the objects that it tracks. */
const tracking = new Set([
  'async_id_symbol',
  'trigger_async_id_symbol',
  'kResourceStore',
  'kResourceStoreSymbol',
]);

/**
 * Keeps out of what is printed what the kernel adds to promises and timers to know their cell: in a notebook they look as
 * they do in Node.
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
        // An object that gives itself is printed as it is.
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
