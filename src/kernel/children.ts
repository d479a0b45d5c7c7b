import { readdirSync, readFileSync } from 'node:fs';

/**
 * The descendants of a process that are in its process group: Ctrl-C on a terminal would reach them too. Without `/proc`
 * the list is empty.
 */
export function childrenOf(pid: number): number[] {
  const parents = new Map<number, { readonly parent: number; readonly group: number }>();
  for (const name of listed()) {
    const entry = /^\d+$/.test(name) ? statOf(name) : undefined;
    if (entry !== undefined) parents.set(Number(name), entry);
  }
  const group = parents.get(pid)?.group;
  const found: number[] = [];
  const pending = [pid];
  for (let parent = pending.pop(); parent !== undefined; parent = pending.pop()) {
    for (const [child, entry] of parents) {
      if (entry.parent !== parent) continue;
      pending.push(child);
      if (entry.group === group) found.push(child);
    }
  }
  return found;
}

function listed(): string[] {
  try {
    return readdirSync('/proc');
  } catch {
    return [];
  }
}

function statOf(name: string): { parent: number; group: number } | undefined {
  try {
    const text = readFileSync(`/proc/${name}/stat`, 'latin1');
    // The name of the program is in parentheses and may itself contain parentheses.
    const [, parent, group] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { parent: Number(parent), group: Number(group) };
  } catch {
    // It has ended since it was listed.
    return undefined;
  }
}
