/**
 * Formats texts as a table: titles first, columns as wide as their widest cell, two spaces between them; the first column
 * is left-aligned, all others right-aligned. Lines have no trailing spaces.
 *
 * @param rows each as long as `titles`
 */
export function columnsText(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const lines = [titles, ...rows];
  const widths = titles.map((_, column) => Math.max(...lines.map((cells) => cells[column].length)));
  return lines
    .map((cells) =>
      cells
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
