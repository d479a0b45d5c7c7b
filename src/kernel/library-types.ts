/**
 * Parts of TypeScript's library beyond ES2023 (which every supported Node has), and whether the running Node has what each
 * declares.
 */
const beyond: readonly (readonly [lib: string, isThere: () => boolean])[] = [
  ['es2024.arraybuffer', () => 'transfer' in ArrayBuffer.prototype],
  ['es2024.collection', () => 'groupBy' in Map],
  ['es2024.object', () => 'groupBy' in Object],
  ['es2024.promise', () => 'withResolvers' in Promise],
  ['es2024.regexp', () => 'unicodeSets' in RegExp.prototype],
  ['es2024.sharedmemory', () => 'waitAsync' in Atomics],
  ['es2024.string', () => 'isWellFormed' in String.prototype],
  ['es2025.collection', () => 'union' in Set.prototype],
  ['es2025.float16', () => 'Float16Array' in globalThis],
  ['es2025.iterator', () => 'Iterator' in globalThis],
  ['es2025.promise', () => 'try' in Promise],
  ['es2025.regexp', () => 'escape' in RegExp],
  ['esnext.array', () => 'fromAsync' in Array],
  ['esnext.collection', () => 'getOrInsert' in Map.prototype],
  ['esnext.disposable', () => typeof (Symbol as { dispose?: symbol }).dispose === 'symbol'],
  ['esnext.error', () => 'isError' in Error],
  ['esnext.sharedmemory', () => 'pause' in Atomics],
  ['esnext.temporal', () => 'Temporal' in globalThis],
  ['esnext.typedarrays', () => 'fromBase64' in Uint8Array],
];

/** The names of TypeScript's library files for what the running Node has. */
export function libraryTypes(exists: (file: string) => boolean): string[] {
  const found = beyond.filter(([, isThere]) => isThere()).map(([name]) => `lib.${name}.d.ts`);
  return ['lib.es2023.d.ts', ...found.filter(exists)];
}
