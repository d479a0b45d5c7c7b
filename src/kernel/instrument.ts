import type ts from 'typescript';

/** The name under which compiled code finds its {@link CellHooks}, and the loader of modules. */
export const hooksName = '__cell__';

/** What one piece of code imports by `import ... from`, in order. */
export type Imports = Set<string>;

/**
 * A transformer of JavaScript that makes it stoppable: wherever it awaits or loops it calls the hooks of its cell, and
 * `import()` becomes a call of the loader, as the code is compiled to CommonJS, which would make a `require()` of it.
 *
 * @param imports gets the names of modules that are imported
 */
export function instrument(
  compiler: typeof ts,
  imports: Imports,
): ts.TransformerFactory<ts.SourceFile> {
  return (context) => {
    const { factory } = context;
    const hook = (name: string): ts.Expression =>
      factory.createPropertyAccessExpression(factory.createIdentifier(hooksName), name);
    const call = (name: string, args: readonly ts.Expression[]): ts.Expression =>
      factory.createCallExpression(hook(name), undefined, args);

    /** `flags[0] !== 0 && look()` */
    const look = (): ts.Expression =>
      factory.createLogicalAnd(
        factory.createStrictInequality(
          factory.createElementAccessExpression(hook('flags'), 0),
          factory.createNumericLiteral(0),
        ),
        call('look', []),
      );

    const withFirst = (body: ts.Statement, first: ts.Expression): ts.Block =>
      factory.createBlock(
        [
          factory.createExpressionStatement(first),
          ...(compiler.isBlock(body) ? body.statements : [body]),
        ],
        true,
      );

    const stoppable = (body: ts.Statement): ts.Block => withFirst(body, look());

    const visit = (node: ts.Node): ts.Node => {
      const found = compiler.visitEachChild(node, visit, context);
      if (compiler.isImportDeclaration(found)) {
        if (compiler.isStringLiteral(found.moduleSpecifier))
          imports.add(found.moduleSpecifier.text);
      } else if (compiler.isCallExpression(found)) {
        if (found.expression.kind === compiler.SyntaxKind.ImportKeyword) {
          return compiler.setTextRange(call('load', found.arguments), found);
        }
      } else if (compiler.isAwaitExpression(found)) {
        const awaited = factory.updateAwaitExpression(found, call('before', [found.expression]));
        return compiler.setTextRange(call('after', [hook('stops'), awaited]), found);
      } else if (compiler.isForOfStatement(found)) {
        const { awaitModifier, initializer, expression, statement } = found;
        const body =
          awaitModifier === undefined
            ? stoppable(statement)
            : withFirst(statement, call('after', [factory.createNumericLiteral(0)]));
        return factory.updateForOfStatement(found, awaitModifier, initializer, expression, body);
      } else if (compiler.isForInStatement(found)) {
        const { initializer, expression, statement } = found;
        return factory.updateForInStatement(found, initializer, expression, stoppable(statement));
      } else if (compiler.isForStatement(found)) {
        const { initializer, condition, incrementor, statement } = found;
        const body = stoppable(statement);
        return factory.updateForStatement(found, initializer, condition, incrementor, body);
      } else if (compiler.isWhileStatement(found)) {
        return factory.updateWhileStatement(found, found.expression, stoppable(found.statement));
      } else if (compiler.isDoStatement(found)) {
        return factory.updateDoStatement(found, stoppable(found.statement), found.expression);
      }
      return found;
    };
    return (file) => compiler.visitEachChild(file, visit, context);
  };
}

/**
 * A transformer of compiled CommonJS: what a cell exports by a getter, as imports are, goes through the hook `define`, so
 * that a later cell may declare the name again.
 */
export function defineByHook(compiler: typeof ts): ts.TransformerFactory<ts.SourceFile> {
  return ({ factory }) => {
    const hook = factory.createPropertyAccessExpression(
      factory.createIdentifier(hooksName),
      'define',
    );
    const changed = (statement: ts.Statement): ts.Statement => {
      if (!compiler.isExpressionStatement(statement)) return statement;
      const call = statement.expression;
      if (!compiler.isCallExpression(call)) return statement;
      const { expression: callee, arguments: given } = call;
      const isDefinition =
        compiler.isPropertyAccessExpression(callee) &&
        compiler.isIdentifier(callee.expression) &&
        callee.expression.text === 'Object' &&
        callee.name.text === 'defineProperty';
      const [target] = given;
      if (!isDefinition || !compiler.isIdentifier(target) || target.text !== 'exports') {
        return statement;
      }
      const updated = factory.updateCallExpression(call, hook, undefined, given);
      return factory.updateExpressionStatement(statement, updated);
    };
    return (file) => factory.updateSourceFile(file, file.statements.map(changed));
  };
}
