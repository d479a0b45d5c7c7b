import ts from 'typescript';

interface Declared {
  readonly text: string;
  /** Whether it declares a type only, which needs no value. */
  readonly isType: boolean;
}

/**
 * The declarations that hold after a cell that did not come to its end: of what it declares, that which got a value; for
 * the rest, what earlier cells had declared by that name.
 *
 * @param earlier before the cell
 * @param later if it had come to its end
 * @param hasValue whether a name has a value now
 */
export function declarationsAfterFailure(
  earlier: string,
  later: string,
  hasValue: (name: string) => boolean,
): string {
  const before = declared(earlier);
  const kept = [...declared(later)].flatMap(([name, entry]) => {
    const old = before.get(name);
    const isKept = entry.isType || entry.text === old?.text || hasValue(name);
    return isKept ? [entry.text] : old === undefined ? [] : [old.text];
  });
  return [...new Set(kept)].join('\n');
}

/** Every name that a file of declarations declares; several declarations of one name are kept together. */
function declared(text: string): Map<string, Declared> {
  const file = ts.createSourceFile('declarations.d.ts', text, ts.ScriptTarget.Latest);
  const found = new Map<string, Declared>();
  const add = (name: string, text: string, isType: boolean): void => {
    const known = found.get(name);
    found.set(name, {
      text: known === undefined ? text : `${known.text}\n${text}`,
      isType: isType && (known?.isType ?? true),
    });
  };
  for (const statement of file.statements) {
    const whole = statement.getText(file);
    if (ts.isVariableStatement(statement)) {
      const [keyword] = /\b(?:const|let|var)\b/.exec(whole) ?? ['let'];
      for (const declaration of statement.declarationList.declarations) {
        const one = declaration.getText(file);
        add(declaration.name.getText(file), `declare ${keyword} ${one};`, false);
      }
    } else if (ts.isImportDeclaration(statement)) {
      for (const [name, one] of importsOf(statement, file)) add(name, one, false);
    } else {
      const isType = ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement);
      const { name } = statement as { name?: ts.Node };
      if (name !== undefined) add(name.getText(file), whole, isType);
    }
  }
  return found;
}

/** An import, taken apart into one for each name. */
function importsOf(statement: ts.ImportDeclaration, file: ts.SourceFile): [string, string][] {
  const clause = statement.importClause;
  if (clause === undefined) return [];
  const from = `from ${statement.moduleSpecifier.getText(file)};`;
  const found: [string, string][] = [];
  if (clause.name !== undefined) {
    found.push([clause.name.text, `import ${clause.name.text} ${from}`]);
  }
  const bindings = clause.namedBindings;
  if (bindings !== undefined && ts.isNamespaceImport(bindings)) {
    found.push([bindings.name.text, `import ${bindings.getText(file)} ${from}`]);
  } else if (bindings !== undefined) {
    for (const element of bindings.elements) {
      found.push([element.name.text, `import { ${element.getText(file)} } ${from}`]);
    }
  }
  return found;
}
