import ts from 'typescript';

/** Whether a name stands for a value, a type or both. */
export interface Meaning {
  readonly isValue: boolean;
  readonly isType: boolean;
}

/** One statement that declares a name. */
interface Piece extends Meaning {
  readonly text: string;
}

/**
 * What cells have declared, as the declaration file that the next cell is compiled with. Immutable: each cell that runs
 * creates a new one.
 */
export class Declarations {
  /** The declaration file. */
  readonly text: string;
  private readonly byName: ReadonlyMap<string, readonly Piece[]>;
  /** `declare global`, `declare module` and imports of modules that do the same: they augment, and are never replaced. */
  private readonly additions: ReadonlySet<string>;

  private constructor(
    byName: ReadonlyMap<string, readonly Piece[]>,
    additions: ReadonlySet<string>,
  ) {
    this.byName = byName;
    this.additions = additions;
    const pieces = [...byName.values()].flat().map(({ text }) => text);
    this.text = [...new Set(pieces), ...additions].join('\n');
  }

  /** The declarations before the first cell. */
  static readonly none: Declarations = new Declarations(new Map(), new Set());

  /**
   * The declarations in a declaration file.
   *
   * @param meaningOf what an imported name stands for
   */
  static of(text: string, meaningOf: (name: string) => Meaning): Declarations {
    const file = ts.createSourceFile('declarations.d.ts', text, ts.ScriptTarget.Latest);
    const byName = new Map<string, Piece[]>();
    const additions = new Set<string>();
    const add = (name: string, piece: Piece): void => {
      byName.set(name, [...(byName.get(name) ?? []), piece]);
    };
    for (const statement of file.statements)
      addStatement(statement, file, meaningOf, add, additions);
    return new Declarations(byName, additions);
  }

  /**
   * These declarations and those of a later cell, which replace earlier ones of the same name.
   *
   * @param isKept whether a value that the later cell declares exists; all do unless the cell failed
   */
  followedBy(later: Declarations, isKept: (name: string) => boolean = () => true): Declarations {
    const byName = new Map(this.byName);
    for (const [name, all] of later.byName) {
      const pieces = all.filter(({ isValue }) => !isValue || isKept(name));
      if (pieces.length === 0) continue;
      const rest = remaining(name, byName.get(name) ?? [], pieces);
      // Deleted first: what is declared last comes last.
      byName.delete(name);
      byName.set(name, [...rest, ...pieces]);
    }
    return new Declarations(byName, new Set([...this.additions, ...later.additions]));
  }

  /** The names of values. */
  get values(): string[] {
    return [...this.byName]
      .filter(([, pieces]) => pieces.some(({ isValue }) => isValue))
      .map(([name]) => name);
  }
}

/** The earlier statements about a name that later ones do not replace. */
function remaining(
  name: string,
  earlier: readonly Piece[],
  later: readonly Piece[],
): readonly Piece[] {
  const isValue = later.some((piece) => piece.isValue);
  const isType = later.some((piece) => piece.isType);
  const kept = earlier.filter((piece) => !(piece.isValue && isValue) && !(piece.isType && isType));
  // If a later type takes the name of a class, the class still exists as a value, but nothing names its type.
  const isNameless =
    !isValue && earlier.some((piece) => piece.isValue) && !kept.some((piece) => piece.isValue);
  if (isNameless) return [...kept, { text: `declare let ${name}: any;`, isValue, isType: false }];
  return kept;
}

function addStatement(
  statement: ts.Statement,
  file: ts.SourceFile,
  meaningOf: (name: string) => Meaning,
  add: (name: string, piece: Piece) => void,
  additions: Set<string>,
): void {
  const text = statement.getText(file);
  const value = { isValue: true, isType: false };
  if (ts.isVariableStatement(statement)) {
    const [keyword] = /\b(?:const|let|var)\b/.exec(text) ?? ['let'];
    for (const declaration of statement.declarationList.declarations) {
      const one = `declare ${keyword} ${declaration.getText(file)};`;
      add(declaration.name.getText(file), { text: one, ...value });
    }
  } else if (ts.isImportDeclaration(statement)) {
    const found = importsOf(statement, file);
    for (const [name, one] of found) add(name, { text: one, ...meaningOf(name) });
    if (found.length === 0 && text.startsWith('import type')) additions.add(text);
  } else if (ts.isFunctionDeclaration(statement)) {
    add(statement.name?.text ?? '', { text, ...value });
  } else if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) {
    add(statement.name.text, { text, isValue: false, isType: true });
  } else if (ts.isClassDeclaration(statement) || ts.isEnumDeclaration(statement)) {
    add(statement.name?.text ?? '', { text, isValue: true, isType: true });
  } else if (ts.isModuleDeclaration(statement)) {
    const { name, flags } = statement;
    const isGlobal = (flags & ts.NodeFlags.GlobalAugmentation) !== 0;
    if (isGlobal || ts.isStringLiteral(name)) additions.add(text);
    else add(name.text, { text, ...meaningOf(name.text) });
  } else if (ts.isImportEqualsDeclaration(statement)) {
    add(statement.name.text, { text, ...meaningOf(statement.name.text) });
  }
}

/** An import split into one import for each name. */
function importsOf(statement: ts.ImportDeclaration, file: ts.SourceFile): [string, string][] {
  const clause = statement.importClause;
  if (clause === undefined) return [];
  const keyword = clause.phaseModifier === ts.SyntaxKind.TypeKeyword ? 'import type' : 'import';
  const from = `from ${file.text.slice(statement.moduleSpecifier.getStart(file), statement.end)}`;
  const found: [string, string][] = [];
  if (clause.name !== undefined) {
    found.push([clause.name.text, `${keyword} ${clause.name.text} ${from}`]);
  }
  const bindings = clause.namedBindings;
  if (bindings !== undefined && ts.isNamespaceImport(bindings)) {
    found.push([bindings.name.text, `${keyword} ${bindings.getText(file)} ${from}`]);
  } else if (bindings !== undefined) {
    for (const element of bindings.elements) {
      found.push([element.name.text, `${keyword} { ${element.getText(file)} } ${from}`]);
    }
  }
  return found;
}
