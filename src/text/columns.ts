/**
 * Texts as a table for people: columns as wide as their widest cell, two spaces between, titles first; the first column
 * flush left, all others flush right. Lines have no spaces at their end.
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
