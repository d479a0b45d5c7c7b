import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';

/** What cells take from a `tsconfig.json`. */
export interface ProjectConfig {
  readonly options: ts.CompilerOptions;
  /** What is wrong with the file, for the user. */
  readonly warning: string | undefined;
  /** Says where `paths` maps an unresolved import; `undefined` if no pattern matches. */
  readonly targetOf: (name: string) => string | undefined;
}

/** Options that cells take from the nearest `tsconfig.json`: they decide what an import or a decorator means. */
const fromNearest = [
  'paths',
  'baseUrl',
  'pathsBasePath',
  'rootDirs',
  'customConditions',
  'experimentalDecorators',
  'emitDecoratorMetadata',
  'useDefineForClassFields',
] as const;

/** Options that cells take only from a `tsconfig.json` in the notebook's own folder: they decide what is an error. */
const fromOwn = [
  'strict',
  'noImplicitAny',
  'noImplicitThis',
  'strictNullChecks',
  'strictFunctionTypes',
  'strictBindCallApply',
  'strictPropertyInitialization',
  'strictBuiltinIteratorReturn',
  'useUnknownInCatchVariables',
  'exactOptionalPropertyTypes',
  'noUncheckedIndexedAccess',
] as const;

/** Reads the `tsconfig.json` of a notebook's folder or of the nearest folder above it. */
export function projectConfig(folder: string): ProjectConfig {
  const path = ts.findConfigFile(folder, existsSync);
  if (path === undefined) {
    return { options: {}, warning: undefined, targetOf: () => undefined };
  }
  const faults: ts.Diagnostic[] = [];
  const host: ts.ParseConfigFileHost = {
    ...ts.sys,
    // Cells need only the options; listing the files of a project takes seconds.
    readDirectory: () => [],
    getCurrentDirectory: () => folder,
    onUnRecoverableConfigFileDiagnostic: (fault) => faults.push(fault),
  };
  const parsed = ts.getParsedCommandLineOfConfigFile(path, {}, host);
  const given = parsed?.options ?? {};
  // 18002, 18003: the configuration includes no files.
  faults.push(...(parsed?.errors ?? []).filter(({ code }) => code !== 18002 && code !== 18003));
  const names: readonly string[] =
    dirname(path) === folder ? [...fromNearest, ...fromOwn] : fromNearest;
  const taken = Object.entries(given).filter(([name]) => names.includes(name));
  const shown = relative(folder, path);
  const text = faults.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '));
  return {
    options: Object.fromEntries(taken),
    warning: text.length === 0 ? undefined : `${shown}: ${text.join(' ')}`,
    targetOf: (name) => targetOf(name, given.paths ?? {}, shown),
  };
}

function targetOf(
  name: string,
  paths: Readonly<Record<string, readonly string[]>>,
  file: string,
): string | undefined {
  for (const [pattern, targets] of Object.entries(paths)) {
    const [before, after] = pattern.split('*');
    const isMatch =
      after === undefined
        ? name === pattern
        : before !== '' && name.startsWith(before) && name.endsWith(after);
    if (!isMatch) continue;
    const rest = name.slice(before.length, name.length - (after ?? '').length);
    const places = targets.map((target) => join(dirname(file), target.replace('*', rest)));
    return `"paths" of ${file} points to ${places.join(' or ')}, which does not exist`;
  }
  return undefined;
}
