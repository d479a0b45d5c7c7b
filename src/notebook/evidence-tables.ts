import { escapeXml } from '../graph/colours';
import type { AblationRow } from '../report/ablation';
import { fixed } from '../text/fixed';
import { intervalText } from '../text/spread';
import { meanText } from '../report/step-table';
import type { StepRow } from '../report/step-table';
import type { Figure } from './figure';
import { tabulate } from './tabulate';

/** Differences, their intervals and verdicts as a table; below it, the changes that have no run yet. */
export function ablationTable(rows: readonly AblationRow[]): Figure {
  const waiting = rows.filter(({ verdict }) => verdict === 'no run yet');
  const run = rows.filter((row) => !waiting.includes(row));
  const note = `No run yet: ${waiting.map(({ name }) => name).join(', ')}.`;
  const { bundle } = run.length === 0 ? { bundle: {} } : comparedTable(run);
  if (waiting.length === 0) return { bundle };
  return {
    bundle: {
      'text/html': `${bundle['text/html'] ?? ''}<p>${escapeXml(note)}</p>`,
      'text/plain': [bundle['text/plain'] ?? [], note].flat().join('\n'),
    },
  };
}

function comparedTable(rows: readonly AblationRow[]): Figure {
  return tabulate(
    rows.map(({ name, title, runs, baseRuns, difference, verdict, runsNeeded, ...ends }) => ({
      name,
      title,
      runs: `${runs} vs. ${baseRuns}`,
      difference: difference === undefined ? '–' : fixed(difference, 2),
      interval: intervalText(ends) ?? '–',
      verdict,
      needed:
        verdict === 'cannot tell' && runsNeeded !== undefined
          ? runsNeeded.toLocaleString('en')
          : '–',
    })),
    {
      columns: {
        name: '',
        title: 'what it is',
        runs: 'n vs. base',
        difference: 'difference, points',
        interval: '95 % interval',
        verdict: 'verdict',
        needed: 'n needed',
      },
    },
  );
}

/** Steps with the evidence for each, as a table: n, mean, interval, operations, what was published, seconds. */
export function stepTable(rows: readonly StepRow[]): Figure {
  return tabulate(
    rows.map((row) => ({
      step: row.step,
      title: row.title,
      epochs: row.epochs,
      runs: row.runs,
      accuracy: meanText(row),
      pflop: row.pflop?.toFixed(3) ?? '–',
      published: row.published ?? '–',
      seconds: row.seconds ?? '–',
    })),
    {
      columns: {
        step: '',
        title: 'what changes',
        epochs: '',
        runs: 'n',
        accuracy: 'test accuracy % (95 % interval)',
        pflop: 'PFLOP',
        published: 'published',
        seconds: 'training',
      },
    },
  );
}
