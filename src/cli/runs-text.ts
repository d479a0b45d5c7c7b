import { untimedText } from '../report/report-text';
import { executionText } from '../runs/execution';
import { isTimed } from '../runs/load';
import { runChanges } from '../runs/run-changes';
import type { StoredRun } from '../runs/stored';
import { columnsText } from '../text/columns';
import { fixed } from '../text/fixed';

/** Runs as a table, one line each, with notes below it. */
export function listText(stored: readonly StoredRun[]): string {
  const rows = stored.map(({ folder, status, run, bytes }) => {
    const { result, rows: epochs = [], experiment } = run ?? {};
    const hasTimes = result !== undefined && isTimed(run ?? {});
    return [
      folder,
      status,
      run === undefined ? '-' : `${epochs.length}/${experiment?.run.epochs ?? '?'}`,
      accText(result?.accPercent),
      hasTimes ? result.trainSec.toFixed(1) : '-',
      hasTimes ? Math.round(result.imagesPerSec).toLocaleString('en') : '-',
      run === undefined ? '-' : executionText(run),
      run?.started.slice(0, 16).replace('T', ' ') ?? '-',
      (bytes / 1e6).toFixed(1),
      run === undefined ? '' : runChanges(run).join(', '),
    ];
  });
  const titles = ['run', 'status', 'epochs', 'test %', 'training s', 'images/s', 'precision'];
  const table = columnsText([...titles, 'started', 'MB', 'changed'], rows);
  const untimed = stored.filter(({ run }) => run?.result !== undefined && !isTimed(run));
  const notes = [
    ...(untimed.length === 0
      ? []
      : [untimedText(untimed.length, untimed.map(({ folder }) => folder).join(', '))]),
    ...stored.flatMap(({ problem }) => problem ?? []),
  ];
  return [table, ...(notes.length === 0 ? [] : ['', ...notes])].join('\n');
}

/** Percent with two decimals; `-` if unknown. */
export function accText(percent: number | undefined): string {
  return percent === undefined ? '-' : fixed(percent, 2);
}
