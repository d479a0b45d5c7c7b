const natural = new Intl.Collator('en', { numeric: true });

/**
 * Orders names of runs as they were made: `demo-smoke-2` before `demo-smoke-10`, and `demo.json` before `demo-2.json`, which
 * was added later.
 */
export function byName(a: string, b: string): number {
  const [first, second] = [a, b].map((name) => name.replace(/\.json$/, ''));
  return natural.compare(first, second);
}
