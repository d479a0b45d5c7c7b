/** A fenced code block of a page. */
export interface Block {
  readonly language: string;
  readonly text: string;
  /** Counted from 1. */
  readonly line: number;
}

/** Every block of code in a page, in order. */
export function blocksOf(page: string): Block[] {
  return [...page.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map((match) => ({
    language: match[1],
    text: match[2],
    line: page.slice(0, match.index).split('\n').length,
  }));
}

/** The text under each second-level heading, by its title. */
export function sectionsOf(page: string): ReadonlyMap<string, string> {
  const parts = page.split(/^## (.+)$/m);
  return new Map(
    parts.slice(1).flatMap((part, index) => (index % 2 === 0 ? [[part, parts[index + 2]]] : [])),
  );
}

/** The error of a broken example, from its comment `// says: …` or `# says: …`; empty if there is none. */
export function saidIn(code: string): string {
  return /^(?:\/\/|#) says: (.+)$/m.exec(code)?.[1] ?? '';
}

/** Text of a page as a pattern: `…` stands for anything within a line. */
export function pattern(shown: string): RegExp {
  const literal = shown.trim().replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${literal.replaceAll('…', '.*')}$`);
}

/** Code in which every `value; // → shown` has become a call `expectShown(value, "shown")`. */
export function comparing(code: string): string {
  return code.replaceAll(/^(.+); \/\/ → (.+)$/gm, (_, value: string, shown: string) => {
    return `expectShown(${value}, ${JSON.stringify(shown)});`;
  });
}
