import { resolve } from 'node:path';
import ts from 'typescript';
import { Application, LogLevel, Logger, TSConfigReader, TypeDocReader } from 'typedoc';
import type { DocumentationEntryPoint } from 'typedoc';
import { beforeAll, describe, expect, test } from 'vitest';

/**
 * Everything that the public entry point exports is documented: every export and every type that an export mentions (typedoc
 * checks that, with the settings of `npm run docs`), every error that a function throws, every shape of an array.
 */
const root = resolve(__dirname, '..');

/** Collects typedoc's messages instead of printing them. */
class Listener extends Logger {
  readonly said: string[] = [];

  override log(message: string, level: LogLevel): void {
    if (level >= LogLevel.Warn) this.said.push(message);
  }
}

function docOf(node: ts.Node): string {
  return ts
    .getJSDocCommentsAndTags(node)
    .map((part) => part.getText())
    .join('\n');
}

interface Exported {
  readonly name: string;
  readonly declarations: readonly ts.Declaration[];
}

function exportsOf(program: ts.Program, entryPoint: ts.SourceFile): Exported[] {
  const checker = program.getTypeChecker();
  const symbol = checker.getSymbolAtLocation(entryPoint);
  if (symbol === undefined) return [];
  return checker.getExportsOfModule(symbol).map((found) => {
    const isAlias = (found.flags & ts.SymbolFlags.Alias) !== 0;
    const { declarations = [] } = isAlias ? checker.getAliasedSymbol(found) : found;
    return { name: found.name, declarations };
  });
}

/**
 * The error classes that a function throws itself, or through a helper that its file does not export, without a `@throws` in
 * its docstring.
 */
function undocumentedThrows(program: ts.Program, { name, declarations }: Exported): string[] {
  const checker = program.getTypeChecker();
  const thrown = new Set<string>();
  const seen = new Set<ts.Node>();
  const visit = (node: ts.Node): void => {
    if (ts.isThrowStatement(node)) {
      const type = checker.typeToString(checker.getTypeAtLocation(node.expression));
      // A caught error that is thrown again has no class here; the function that threw it first documents it.
      if (type.endsWith('Error')) thrown.add(type);
    }
    if (ts.isCallExpression(node)) {
      const callee = checker.getResolvedSignature(node)?.declaration;
      const isHelper =
        callee !== undefined &&
        ts.isFunctionDeclaration(callee) &&
        !callee.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
      if (isHelper && !seen.has(callee)) {
        seen.add(callee);
        visit(callee);
      }
    }
    ts.forEachChild(node, visit);
  };
  const functions = declarations.filter(
    (node) => ts.isFunctionDeclaration(node) || ts.isVariableDeclaration(node),
  );
  functions.forEach(visit);
  const documented = functions.map(docOf).join('\n').split('@throws').slice(1).join('\n');
  return [...thrown]
    .filter((type) => !documented.includes(type))
    .map((type) => `${name} throws ${type}, and its docstring has no @throws for it`);
}

const arrays = /\b(Tensor(\dD)?|HostTensor|(Float|Int|Uint)\d+Array|Images?)\b/;
/** A shape such as `[N,H,W,C]`, or words that stand for one. */
const shape = /\[[\w\s.,*+'-]*\]|any shape|`shape`|scalar|bytes/;

/** Functions that take or return arrays, and array properties, without a documented shape. */
function undocumentedShapes({ name, declarations }: Exported): string[] {
  return declarations.flatMap((node) => {
    const doc = docOf(node);
    if (shape.test(doc)) return [];
    if (ts.isFunctionDeclaration(node)) {
      const types = [...node.parameters.map(({ type }) => type), node.type];
      const texts = types.map((type) => type?.getText() ?? '');
      return texts.some((text) => arrays.test(text))
        ? [
            `${name} takes or returns ${texts.find((text) => arrays.test(text))}, but documents no shape`,
          ]
        : [];
    }
    if (!ts.isInterfaceDeclaration(node) && !ts.isTypeAliasDeclaration(node)) return [];
    const faults: string[] = [];
    const visit = (part: ts.Node): void => {
      if (ts.isPropertySignature(part)) {
        const type = part.type?.getText() ?? '';
        if (new RegExp(`^(tf\\.)?${arrays.source}$`).test(type) && !shape.test(docOf(part))) {
          faults.push(`${name}.${part.name.getText()} is a ${type}, but documents no shape`);
        }
      }
      ts.forEachChild(part, visit);
    };
    visit(node);
    return faults;
  });
}

function faultsOf(program: ts.Program, entryPoint: ts.SourceFile): string[] {
  return exportsOf(program, entryPoint).flatMap((exported) => [
    ...undocumentedThrows(program, exported),
    ...undocumentedShapes(exported),
  ]);
}

describe('the API reference', () => {
  const listener = new Listener();
  let app: Application;
  let entryPoints: readonly DocumentationEntryPoint[];

  beforeAll(async () => {
    app = await Application.bootstrapWithPlugins({ options: root, tsconfig: root }, [
      new TypeDocReader(),
      new TSConfigReader(),
    ]);
    app.logger = listener;
    // Types are checked elsewhere, and that takes a third of the time.
    app.options.setValue('skipErrorChecking', true);
    entryPoints = app.getEntryPoints() ?? [];
  }, 60_000);

  test('can be built without a warning', async () => {
    const project = await app.convert();
    if (project !== undefined) app.validate(project);
    expect(listener.said).toEqual([]);
    expect(project?.children?.length).toBeGreaterThan(150);
    const guides = project?.documents?.map(({ name }) => name);
    expect(guides).toContain('Train your own network and augmentation');
  });

  test('documents the errors that a function throws and the shapes of arrays', () => {
    const [{ program, sourceFile }] = entryPoints;
    const names = exportsOf(program, sourceFile).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['createTrainer', 'build', 'HostTensor']));
    expect(faultsOf(program, sourceFile)).toEqual([]);
  });
});

test('finds a docstring that omits an error or a shape', () => {
  const text = `
    class GraphError extends Error {}
    function check(x: number): void { if (x > 0) throw new GraphError('no'); }
    /** Helps. @throws GraphError sometimes */
    export function told(x: number): void { check(x); }
    /** Helps, [N]. */
    export function untold(x: Float32Array): void { check(x.length); throw new RangeError('no'); }
    /** A value. */
    export const arrow = (x: number): void => { throw new GraphError('no'); };
    /** Halves. */
    export function half(x: Float32Array): Float32Array { return x; }
    /** Things. */
    export interface Things {
      readonly a: Float32Array;
      /** \`[N]\` */
      readonly b: Int32Array;
      readonly c: number;
    }
  `;
  const host = ts.createCompilerHost({});
  const entryPoint = ts.createSourceFile('door.ts', text, ts.ScriptTarget.ES2022, true);
  const program = ts.createProgram(
    ['door.ts'],
    {},
    {
      ...host,
      getSourceFile: (name, version) =>
        name === 'door.ts' ? entryPoint : host.getSourceFile(name, version),
    },
  );
  expect(new Set(faultsOf(program, entryPoint))).toEqual(
    new Set([
      'untold throws GraphError, and its docstring has no @throws for it',
      'untold throws RangeError, and its docstring has no @throws for it',
      'arrow throws GraphError, and its docstring has no @throws for it',
      'half takes or returns Float32Array, but documents no shape',
      'Things.a is a Float32Array, but documents no shape',
    ]),
  );
});
