import ts from 'typescript';
import { directivesEnd, hooksName } from './instrument';

/** The parameter of a compiled cell that takes its result and its variables; see {@link OwnCell}. */
export const ownParameter = '__own__';

/** What a compiled cell fills in while it runs. */
export interface OwnCell {
  /** The value of its last expression. */
  value: unknown;
  /** Its top-level names as accessors, which read and assign the variables themselves. */
  readonly names: object;
  /** Adds an accessor. */
  readonly bind: (name: string, get: () => unknown, set?: (value: unknown) => void) => void;
}

/** A new, empty {@link OwnCell}. */
export function ownCell(): OwnCell {
  const names = {};
  return {
    value: undefined,
    names,
    // Reading and assigning through an object literal with `get` and `set` is twelve times slower.
    bind: (name, get, set) => {
      const property = { get, enumerable: true };
      Object.defineProperty(names, name, set === undefined ? property : { ...property, set });
    },
  };
}

/** The parameter by which a compiled cell reaches the variables of an earlier one. */
export const parameterOf = (cell: number): string => `__of${cell}__`;

/** Inputs of {@link cellScope}, and the set that it fills. */
export interface ScopeOptions {
  /** The top-level names of the cell; some may be types. */
  readonly names: ReadonlySet<string>;
  /** The earlier cell that owns a name which this cell does not declare. */
  readonly ownerOf: (name: string) => number | undefined;
  /** Receives the earlier cells whose variables the cell uses. */
  readonly uses: Set<number>;
}

/** How an imported name is reached: a property of a module that is held in a variable. */
type Target = () => ts.LeftHandSideExpression;

/**
 * Transforms the JavaScript of a cell so that its top-level names and those of earlier cells form one scope.
 *
 * A top-level name stays a variable of the cell's function; an object of accessors exposes it to other cells. A name that
 * only an earlier cell declares becomes a property of that cell's object. A name is therefore one variable, whichever cell
 * assigns it. It is bound when a cell is compiled, so code older than a redeclaration keeps the old variable. An imported
 * name becomes a property of its module.
 */
export function cellScope(options: ScopeOptions): ts.TransformerFactory<ts.SourceFile> {
  return (context) => (file) => {
    const imports = new ImportedNames(context.factory);
    const kept: ts.Statement[] = [];
    for (const statement of file.statements) {
      if (ts.isImportDeclaration(statement)) imports.add(statement);
      else if (!ts.isExportDeclaration(statement)) kept.push(statement);
    }
    // An updated file lacks the binder's results.
    const { locals } = ts.getOriginalNode(file) as Scope;
    const references = new References(context, locals, imports.targets, options);
    const body = kept.map((statement) => references.visit(statement) as ts.Statement);
    const start = directivesEnd(body);
    const statements = [
      ...body.slice(0, start),
      ...accessors(context.factory, locals, imports.targets, options.names),
      ...imports.statements,
      ...body.slice(start),
    ];
    return context.factory.updateSourceFile(file, statements);
  };
}

/** The names that a cell imports, and the statements that load the modules. They run before all others, as in an ES module. */
class ImportedNames {
  readonly targets = new Map<string, Target>();
  readonly statements: ts.Statement[] = [];
  private readonly factory: ts.NodeFactory;
  private count = 0;

  constructor(factory: ts.NodeFactory) {
    this.factory = factory;
  }

  add(statement: ts.ImportDeclaration): void {
    const { factory } = this;
    const { importClause: clause, moduleSpecifier } = statement;
    const load = this.call('require', moduleSpecifier);
    if (clause === undefined) {
      this.statements.push(ts.setTextRange(factory.createExpressionStatement(load), statement));
      return;
    }
    this.count += 1;
    const name = `__module${this.count}__`;
    this.declare(name, load, statement);
    const { name: byDefault, namedBindings } = clause;
    const elements =
      namedBindings !== undefined && ts.isNamedImports(namedBindings) ? namedBindings.elements : [];
    const isDefault = (element: ts.ImportSpecifier): boolean =>
      element.propertyName?.text === 'default';
    const defaultOf = `__default${this.count}__`;
    if (byDefault !== undefined || elements.some(isDefault)) {
      const found = this.call('importDefault', factory.createIdentifier(name));
      this.declare(defaultOf, found, statement);
    }
    if (byDefault !== undefined) this.targets.set(byDefault.text, this.property(defaultOf));
    for (const element of elements) {
      const property = element.propertyName?.text ?? element.name.text;
      const from = isDefault(element) ? this.property(defaultOf) : this.property(name, property);
      this.targets.set(element.name.text, from);
    }
    if (namedBindings !== undefined && ts.isNamespaceImport(namedBindings)) {
      const found = this.call('importStar', factory.createIdentifier(name));
      this.declare(namedBindings.name.text, found, statement);
    }
  }

  private call(hook: string, argument: ts.Expression): ts.Expression {
    const { factory } = this;
    const callee = factory.createPropertyAccessExpression(
      factory.createIdentifier(hooksName),
      hook,
    );
    return factory.createCallExpression(callee, undefined, [argument]);
  }

  private declare(name: string, value: ts.Expression, at: ts.Statement): void {
    const { factory } = this;
    const one = factory.createVariableDeclaration(name, undefined, undefined, value);
    const list = factory.createVariableDeclarationList([one], ts.NodeFlags.Const);
    this.statements.push(ts.setTextRange(factory.createVariableStatement(undefined, list), at));
  }

  private property(of: string, name = 'default'): Target {
    return () => propertyOf(this.factory, of, name);
  }
}

function propertyOf(factory: ts.NodeFactory, of: string, name: string): ts.LeftHandSideExpression {
  const object = factory.createIdentifier(of);
  // The name of an export may be any string.
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name)
    ? factory.createPropertyAccessExpression(object, name)
    : factory.createElementAccessExpression(object, factory.createStringLiteral(name));
}

/** `__own__.bind("a", () => a, (value) => { a = value; });` for each name. */
function accessors(
  factory: ts.NodeFactory,
  locals: ts.SymbolTable | undefined,
  imported: ReadonlyMap<string, Target>,
  names: ReadonlySet<string>,
): ts.Statement[] {
  const statements: ts.Statement[] = [];
  for (const name of names) {
    const symbol = locals?.get(ts.escapeLeadingUnderscores(name));
    if (symbol === undefined || !isValue(symbol)) continue;
    const target = imported.get(name)?.() ?? factory.createIdentifier(name);
    const parts: ts.Expression[] = [factory.createStringLiteral(name), arrow(factory, [], target)];
    // Assigning a `const` throws, as it should. Names that are not variables get no setter, and stay fast.
    if ((symbol.flags & ts.SymbolFlags.Variable) !== 0) {
      const value = name === '__value__' ? '__value2__' : '__value__';
      const assign = factory.createAssignment(
        factory.createIdentifier(name),
        factory.createIdentifier(value),
      );
      parts.push(
        arrow(factory, [value], factory.createBlock([factory.createExpressionStatement(assign)])),
      );
    }
    const bind = propertyOf(factory, ownParameter, 'bind');
    const call = factory.createCallExpression(bind, undefined, parts);
    statements.push(factory.createExpressionStatement(call));
  }
  return statements;
}

function arrow(
  factory: ts.NodeFactory,
  parameters: readonly string[],
  body: ts.ConciseBody,
): ts.Expression {
  const taken = parameters.map((name) =>
    factory.createParameterDeclaration(undefined, undefined, name),
  );
  return factory.createArrowFunction(undefined, undefined, taken, undefined, undefined, body);
}

/** A node with the names that the binder has found in its scope. */
interface Scope {
  readonly locals?: ts.SymbolTable;
}

function isValue({ flags }: ts.Symbol): boolean {
  return (flags & (ts.SymbolFlags.Value | ts.SymbolFlags.Alias)) !== 0;
}

/** Rewrites names in a cell's code that belong to modules or earlier cells as properties of their owners. */
class References {
  private readonly context: ts.TransformationContext;
  private readonly locals: ts.SymbolTable | undefined;
  private readonly imported: ReadonlyMap<string, Target>;
  private readonly options: ScopeOptions;

  constructor(
    context: ts.TransformationContext,
    locals: ts.SymbolTable | undefined,
    imported: ReadonlyMap<string, Target>,
    options: ScopeOptions,
  ) {
    this.context = context;
    this.locals = locals;
    this.imported = imported;
    this.options = options;
  }

  readonly visit = (node: ts.Node): ts.Node => {
    const { factory } = this.context;
    if (ts.isIdentifier(node)) {
      return isReference(node) ? (this.elsewhere(node) ?? node) : node;
    }
    if (ts.isShorthandPropertyAssignment(node)) return this.spelledOut(node);
    const found = ts.visitEachChild(node, this.visit, this.context);
    // `f()` passes no `this`, and `cell.f()` would.
    if (ts.isCallExpression(node) && ts.isCallExpression(found) && isName(node.expression)) {
      if (found.expression === node.expression) return found;
      const { questionDotToken, typeArguments } = found;
      const callee = this.detached(found.expression, node.expression);
      return questionDotToken === undefined
        ? factory.updateCallExpression(found, callee, typeArguments, found.arguments)
        : factory.updateCallChain(
            found as ts.CallChain,
            callee,
            questionDotToken,
            typeArguments,
            found.arguments,
          );
    }
    if (
      ts.isTaggedTemplateExpression(node) &&
      ts.isTaggedTemplateExpression(found) &&
      isName(node.tag) &&
      found.tag !== node.tag
    ) {
      const tag = this.detached(found.tag, node.tag);
      return factory.updateTaggedTemplateExpression(found, tag, undefined, found.template);
    }
    return found;
  };

  /** `{ a }` as `{ a: cell.a }`, also in a destructuring assignment. */
  private spelledOut(node: ts.ShorthandPropertyAssignment): ts.Node {
    const { factory } = this.context;
    const { name, objectAssignmentInitializer: fallback } = node;
    const target = this.elsewhere(name);
    const visited = fallback && (this.visit(fallback) as ts.Expression);
    if (target === undefined) {
      if (visited === fallback) return node;
      return factory.updateShorthandPropertyAssignment(node, name, visited);
    }
    const value = visited === undefined ? target : factory.createAssignment(target, visited);
    return ts.setTextRange(factory.createPropertyAssignment(name.text, value), node);
  }

  private detached(target: ts.Expression, at: ts.Node): ts.LeftHandSideExpression {
    const { factory } = this.context;
    const comma = factory.createComma(factory.createNumericLiteral(0), target);
    return ts.setTextRange(factory.createParenthesizedExpression(comma), at);
  }

  /** The property that a name refers to if it is imported or an earlier cell's, and no enclosing scope shadows it. */
  private elsewhere(node: ts.Identifier): ts.LeftHandSideExpression | undefined {
    const { text } = node;
    const imported = this.imported.get(text);
    const isOwn = this.isDeclaredAtTop(text);
    const owner = imported === undefined && !isOwn ? this.options.ownerOf(text) : undefined;
    if (imported === undefined && owner === undefined) return undefined;
    if (isDeclaredWithin(node, text)) return undefined;
    let target: ts.LeftHandSideExpression;
    if (owner === undefined) {
      target = (imported as Target)();
    } else {
      this.options.uses.add(owner);
      target = propertyOf(this.context.factory, parameterOf(owner), text);
    }
    return ts.setTextRange(target, node);
  }

  private isDeclaredAtTop(text: string): boolean {
    const symbol = this.locals?.get(ts.escapeLeadingUnderscores(text));
    return symbol !== undefined && isValue(symbol);
  }
}

/** Whether an expression is a name, possibly in parentheses. */
function isName(node: ts.Expression): boolean {
  let at = node;
  while (ts.isParenthesizedExpression(at)) at = at.expression;
  return ts.isIdentifier(at);
}

/** Whether an identifier refers to a variable, rather than naming a property, a label or a declaration. */
function isReference(node: ts.Identifier): boolean {
  const parent = node.parent as
    | { readonly name?: ts.Node; readonly propertyName?: ts.Node; readonly label?: ts.Node }
    | undefined;
  // Nodes made by a transformer have no parent.
  if (parent === undefined) return false;
  return parent.name !== node && parent.propertyName !== node && parent.label !== node;
}

/** Whether an enclosing function or block declares the name. */
function isDeclaredWithin(start: ts.Node, text: string): boolean {
  const key = ts.escapeLeadingUnderscores(text);
  let child = start;
  for (let at = start.parent; !ts.isSourceFile(at); child = at, at = at.parent) {
    const symbol = (at as Scope).locals?.get(key);
    if (symbol !== undefined && isValue(symbol)) {
      // The default of a parameter does not see names declared in the function's body.
      const isInDefault = ts.isParameter(child);
      if (!isInDefault || symbol.declarations?.some(isOfParameter) === true) return true;
    }
    if ((ts.isFunctionExpression(at) || ts.isClassExpression(at)) && at.name?.text === text) {
      return true;
    }
    if (text === 'arguments' && ts.isFunctionLike(at) && !ts.isArrowFunction(at)) return true;
  }
  return false;
}

function isOfParameter(declaration: ts.Declaration): boolean {
  let at: ts.Node = declaration;
  while (ts.isBindingElement(at) || ts.isObjectBindingPattern(at) || ts.isArrayBindingPattern(at)) {
    at = at.parent;
  }
  return ts.isParameter(at);
}
