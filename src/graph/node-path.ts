/** The blocks that contain a path, the outermost first: `['a', 'a/b']` for `a/b/c`. */
export function ancestors(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, depth) => parts.slice(0, depth + 1).join('/'));
}

/** The path of the dictionary that contains a path; empty at the top. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** The name of a node or a block in its dictionary. */
export function lastPart(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
