import ts from 'typescript';

/** A cell as the compiler gets it. Up to the end of the cell, positions are those of the original source. */
export interface CellSource {
  /** The cell as a module that exports its top-level names. */
  readonly text: string;
  /** The top-level names, of values and of types. */
  readonly names: readonly string[];
  /** The names that `var` declares inside blocks. */
  readonly hoistedNames: readonly string[];
  /** Modules imported without a name, as string literals: they may augment existing types. */
  readonly bareImports: readonly string[];
  /** Whether it uses `await` outside functions. */
  readonly isAsync: boolean;
  /** Index of the last statement, if it is an expression: its value is the result. */
  readonly resultIndex: number | undefined;
}

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * Turns a cell into a module.
 *
 * Later cells see every top-level name, so `export` adds nothing and is blanked. `export … from` becomes an import of the
 * same names; both keywords have six letters, so positions stay the same. A shebang becomes a comment.
 */
export function prepareCell(source: string): CellSource {
  const body = source.startsWith('#!') ? `//${source.slice(2)}` : source;
  const first = parse(body);
  const { edits, aliases } = exportsOf(first);
  const text = edits.length === 0 ? body : apply(body, edits);
  const file = edits.length === 0 ? first : parse(text);
  const names = new Set<string>();
  const hoisted = new Set<string>();
  for (const statement of file.statements) addNames(statement, names, hoisted);
  const hoistedNames = [...hoisted].filter((name) => !names.has(name));
  for (const name of hoistedNames) names.add(name);
  for (const { name } of aliases) names.add(name);
  const suffix = aliases.map(({ text: one }) => `${one}\n`).join('');
  const last = file.statements.findLastIndex((statement) => !ts.isEmptyStatement(statement));
  const endsWithValue = last >= 0 && ts.isExpressionStatement(file.statements[last]);
  return {
    text: `${text}\n${suffix}export { ${[...names].join(', ')} };\n`,
    names: [...names],
    hoistedNames,
    bareImports: file.statements
      .filter(isBareImport)
      .map(({ moduleSpecifier }) => moduleSpecifier.getText(file)),
    isAsync: file.statements.some(awaits),
    resultIndex: endsWithValue ? last : undefined,
  };
}

function isBareImport(statement: ts.Statement): statement is ts.ImportDeclaration {
  if (!ts.isImportDeclaration(statement)) return false;
  const { name, namedBindings } = statement.importClause ?? {};
  if (name !== undefined) return false;
  if (namedBindings === undefined) return true;
  return ts.isNamedImports(namedBindings) && namedBindings.elements.length === 0;
}

function parse(text: string): ts.SourceFile {
  return ts.createSourceFile('cell.ts', text, ts.ScriptTarget.Latest);
}

function apply(text: string, edits: readonly Edit[]): string {
  let done = '';
  let at = 0;
  for (const { start, end, text: replacement } of edits.toSorted((a, b) => a.start - b.start)) {
    done += text.slice(at, start) + replacement;
    at = end;
  }
  return done + text.slice(at);
}

/** The edits that remove `export` from statements, and declarations of the names under which they export. */
function exportsOf(file: ts.SourceFile): {
  edits: Edit[];
  aliases: { readonly name: string; readonly text: string }[];
} {
  const edits: Edit[] = [];
  const aliases: { name: string; text: string }[] = [];
  const blank = (start: number, end: number): void => {
    edits.push({ start, end, text: file.text.slice(start, end).replaceAll(/[^\r\n]/g, ' ') });
  };
  /** `export default class {}` becomes an expression in parentheses. */
  const bracket = (start: number, keywordsEnd: number, end: number): void => {
    blank(start, keywordsEnd - 1);
    edits.push({ start: keywordsEnd - 1, end: keywordsEnd, text: '(' });
    edits.push({ start: end, end, text: ')' });
  };
  const visitNamed = (statement: ts.ExportDeclaration, isTypeOnly: boolean): void => {
    const { exportClause, moduleSpecifier } = statement;
    const start = statement.getStart(file);
    if (moduleSpecifier === undefined) blank(start, statement.end);
    else edits.push({ start, end: start + 'export'.length, text: 'import' });
    const isUnnamed =
      exportClause === undefined ||
      (ts.isNamespaceExport(exportClause) && !isBindable(exportClause.name));
    if (isUnnamed) {
      blank(start + 'export'.length, moduleSpecifier?.getStart(file) ?? statement.end);
    } else if (ts.isNamedExports(exportClause)) {
      const { elements } = exportClause;
      for (const [index, element] of elements.entries()) {
        const { name, propertyName, isTypeOnly: isType } = element;
        if (moduleSpecifier !== undefined) {
          // No variable can have such a name. The comma after it goes, too.
          const end = elements[index + 1]?.getStart(file) ?? exportClause.end - 1;
          if (!isBindable(name)) blank(element.getStart(file), end);
        } else if (propertyName !== undefined && isBindable(name)) {
          const keyword = isTypeOnly || isType ? 'type' : 'const';
          aliases.push({
            name: name.text,
            text: `${keyword} ${name.text} = ${propertyName.text};`,
          });
        }
      }
    }
  };
  for (const statement of file.statements) {
    if (ts.isExportDeclaration(statement)) {
      visitNamed(statement, statement.isTypeOnly);
    } else if (ts.isExportAssignment(statement)) {
      const { expression } = statement;
      const keywords = /^export\s+default/.exec(file.text.slice(statement.getStart(file)))?.[0];
      const start = statement.getStart(file);
      if (keywords !== undefined) bracket(start, start + keywords.length, expression.end);
    } else if (ts.canHaveModifiers(statement)) {
      const modifiers = ts.getModifiers(statement) ?? [];
      const keyword = modifiers.find(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
      const byDefault = modifiers.find(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword);
      if (keyword === undefined) continue;
      const start = keyword.getStart(file);
      const isNamed = (statement as { name?: ts.Node }).name !== undefined;
      if (byDefault !== undefined && !isNamed) bracket(start, byDefault.end, statement.end);
      else blank(start, (byDefault ?? keyword).end);
    }
  }
  return { edits, aliases };
}

/** Whether the name under which a statement exports can be that of a variable. */
function isBindable(name: ts.ModuleExportName): name is ts.Identifier {
  return ts.isIdentifier(name) && name.text !== 'default';
}

/** Collects the top-level names that a statement declares, and those that `var` declares inside blocks. */
function addNames(statement: ts.Statement, names: Set<string>, hoisted: Set<string>): void {
  if (ts.isVariableStatement(statement)) {
    for (const { name } of statement.declarationList.declarations) addBound(name, names);
  } else if (ts.isImportDeclaration(statement)) {
    const { name, namedBindings } = statement.importClause ?? {};
    if (name !== undefined) names.add(name.text);
    if (namedBindings === undefined) return;
    if (ts.isNamespaceImport(namedBindings)) names.add(namedBindings.name.text);
    else for (const element of namedBindings.elements) names.add(element.name.text);
  } else if (
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isEnumDeclaration(statement) ||
    ts.isImportEqualsDeclaration(statement) ||
    ts.isModuleDeclaration(statement)
  ) {
    const { name } = statement;
    const isGlobal = (statement.flags & ts.NodeFlags.GlobalAugmentation) !== 0;
    if (name !== undefined && ts.isIdentifier(name) && !isGlobal) names.add(name.text);
  } else {
    addHoisted(statement, hoisted);
  }
}

function addHoisted(node: ts.Node, names: Set<string>): void {
  if (ts.isFunctionLike(node) || ts.isClassLike(node)) return;
  if (ts.isVariableDeclarationList(node) && (node.flags & ts.NodeFlags.BlockScoped) === 0) {
    for (const { name } of node.declarations) addBound(name, names);
  }
  ts.forEachChild(node, (child) => addHoisted(child, names));
}

function addBound(name: ts.BindingName, names: Set<string>): void {
  if (ts.isIdentifier(name)) {
    if (name.text !== '') names.add(name.text);
    return;
  }
  for (const element of name.elements) {
    if (!ts.isOmittedExpression(element)) addBound(element.name, names);
  }
}

/** Whether a node uses `await` outside functions. */
export function awaits(node: ts.Node): boolean {
  if (ts.isFunctionLike(node) || ts.isClassStaticBlockDeclaration(node)) return false;
  if (ts.isAwaitExpression(node)) return true;
  if (ts.isForOfStatement(node) && node.awaitModifier !== undefined) return true;
  const awaitUsing: number = ts.NodeFlags.AwaitUsing;
  if (ts.isVariableDeclarationList(node) && (node.flags & awaitUsing) === awaitUsing) return true;
  return ts.forEachChild(node, awaits) ?? false;
}
