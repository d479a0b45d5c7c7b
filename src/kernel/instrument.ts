import ts from 'typescript';

/** The global that holds the {@link CellHooks} and the module loader for compiled code. */
export const hooksName = '__cell__';

/** A module that a file imports. */
export interface Import {
  /** The path of the file. */
  readonly from: string;
  readonly name: string;
}

/** Inputs of {@link instrument}, and the list that it fills. */
export interface InstrumentOptions {
  /** Receives the modules that `import ... from` imports. */
  readonly imports: Import[];
  /** The file that an import resolves to, if it is compiled with the cell. */
  readonly sourceOf: (name: string) => string | undefined;
  /** The path of the file, from which imports resolve. */
  readonly path: string;
}

/**
 * Transforms JavaScript so that it can be interrupted: every function, loop iteration and `await` calls the hooks of its
 * cell. Imports of files that are compiled with the cell get full paths. `import()` becomes a call of the module loader,
 * because the compiled code is not a module.
 */
export function instrument(options: InstrumentOptions): ts.TransformerFactory<ts.SourceFile> {
  return (context) => {
    const { factory } = context;
    const stops = new Stops(context);
    const path = (): ts.Expression => factory.createStringLiteral(options.path);
    const visit = (node: ts.Node): ts.Node => {
      const found = ts.visitEachChild(node, visit, context);
      if (ts.isImportDeclaration(found) || ts.isExportDeclaration(found)) {
        return renamed(found);
      }
      if (ts.isCallExpression(found) && found.expression.kind === ts.SyntaxKind.ImportKeyword) {
        const [name, ...others] = found.arguments;
        const source = ts.isStringLiteralLike(name) ? options.sourceOf(name.text) : undefined;
        const first = source === undefined ? name : factory.createStringLiteral(source);
        return ts.setTextRange(stops.call('load', [path(), first, ...others]), found);
      }
      if (ts.isMetaProperty(found) && found.keywordToken === ts.SyntaxKind.ImportKeyword) {
        return ts.setTextRange(stops.call('metaOf', [path()]), found);
      }
      return stops.within(found, node);
    };
    const renamed = (node: ts.ImportDeclaration | ts.ExportDeclaration): ts.Node => {
      const { moduleSpecifier: name } = node;
      if (name === undefined || !ts.isStringLiteral(name)) return node;
      const source = options.sourceOf(name.text);
      options.imports.push({ from: options.path, name: source ?? name.text });
      if (source === undefined) return node;
      const full = ts.setTextRange(factory.createStringLiteral(source), name);
      if (ts.isImportDeclaration(node)) {
        const { modifiers, importClause, attributes } = node;
        return factory.updateImportDeclaration(node, modifiers, importClause, full, attributes);
      }
      const { modifiers, isTypeOnly, exportClause, attributes } = node;
      return factory.updateExportDeclaration(
        node,
        modifiers,
        isTypeOnly,
        exportClause,
        full,
        attributes,
      );
    };
    return (file) => ts.visitEachChild(file, visit, context);
  };
}

/** Inserts the hook calls, one node at a time. */
class Stops {
  private readonly context: ts.TransformationContext;

  constructor(context: ts.TransformationContext) {
    this.context = context;
  }

  private hook(name: string): ts.Expression {
    const { factory } = this.context;
    return factory.createPropertyAccessExpression(factory.createIdentifier(hooksName), name);
  }

  call(name: string, args: readonly ts.Expression[]): ts.Expression {
    return this.context.factory.createCallExpression(this.hook(name), undefined, args);
  }

  /** `flags[0] !== 0 && look()` */
  private look(): ts.Expression {
    const { factory } = this.context;
    return factory.createLogicalAnd(
      factory.createStrictInequality(
        factory.createElementAccessExpression(this.hook('flags'), 0),
        factory.createNumericLiteral(0),
      ),
      this.call('look', []),
    );
  }

  private withFirst(body: ts.Statement, first: ts.Expression): ts.Block {
    const { factory } = this.context;
    return factory.createBlock(
      [factory.createExpressionStatement(first), ...(ts.isBlock(body) ? body.statements : [body])],
      true,
    );
  }

  private stoppable(body: ts.Statement): ts.Block {
    return this.withFirst(body, this.look());
  }

  /** @param original the node before its children were transformed, which still has its parent */
  within(node: ts.Node, original: ts.Node): ts.Node {
    const { factory } = this.context;
    if (ts.isAwaitExpression(node)) {
      const awaited = factory.updateAwaitExpression(node, this.call('before', [node.expression]));
      return ts.setTextRange(this.call('after', [this.hook('stops'), awaited]), node);
    }
    if (ts.isForOfStatement(node)) {
      const { awaitModifier, initializer, expression, statement } = node;
      const body =
        awaitModifier === undefined
          ? this.stoppable(statement)
          : this.withFirst(statement, this.call('after', [factory.createNumericLiteral(0)]));
      return factory.updateForOfStatement(node, awaitModifier, initializer, expression, body);
    }
    if (ts.isForInStatement(node)) {
      const { initializer, expression, statement } = node;
      return factory.updateForInStatement(node, initializer, expression, this.stoppable(statement));
    }
    if (ts.isForStatement(node)) {
      const { initializer, condition, incrementor, statement } = node;
      const body = this.stoppable(statement);
      return factory.updateForStatement(node, initializer, condition, incrementor, body);
    }
    if (ts.isWhileStatement(node)) {
      return factory.updateWhileStatement(node, node.expression, this.stoppable(node.statement));
    }
    if (ts.isDoStatement(node)) {
      return factory.updateDoStatement(node, this.stoppable(node.statement), node.expression);
    }
    return this.enter(node, original);
  }

  /** Makes functions stoppable: recursion has no loop, and the loop around a callback may be in a library. */
  private enter(node: ts.Node, original: ts.Node): ts.Node {
    const { factory } = this.context;
    if (ts.isArrowFunction(node) && !ts.isBlock(node.body)) {
      const body = factory.createParenthesizedExpression(
        factory.createComma(this.look(), node.body),
      );
      const { modifiers, parameters, equalsGreaterThanToken: arrow } = node;
      return factory.updateArrowFunction(
        node,
        modifiers,
        undefined,
        parameters,
        undefined,
        arrow,
        ts.setTextRange(body, node.body),
      );
    }
    if (!ts.isBlock(node) || !ts.isFunctionLike(original.parent)) return node;
    const { statements } = node;
    const start = directivesEnd(statements);
    return factory.updateBlock(node, [
      ...statements.slice(0, start),
      factory.createExpressionStatement(this.look()),
      ...statements.slice(start),
    ]);
  }
}

/** How many directives, such as "use strict", a body starts with. */
export function directivesEnd(statements: readonly ts.Statement[]): number {
  const isDirective = (one: ts.Statement): boolean =>
    ts.isExpressionStatement(one) && ts.isStringLiteral(one.expression);
  const at = statements.findIndex((statement) => !isDirective(statement));
  return at < 0 ? statements.length : at;
}
