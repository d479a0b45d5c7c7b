import type { RunJob } from '../sweeps/job';
import type { ExecutorEvent } from '../sweeps/sweep';
import { durationText, epochCount } from '../text/progress';
import { wallClock } from '../train/timer';
import { sweepLine } from './sweep-display';
import type { LinesDisplay } from './sweep-display';
import { fixed } from '../text/fixed';

/** Progress of a run. */
interface Standing {
  readonly worker: string;
  readonly id: string;
  readonly done: number;
  readonly text: string;
}

/** Shows the progress of a sweep. */
export interface SweepWatch {
  /** Shows a headline, and from then on the progress of `total` jobs. */
  begin(total: number, headline: string): void;
  readonly event: (job: RunJob, event: ExecutorEvent) => void;
  end(): void;
}

/** Shows a sweep: one line per worker on a terminal, one line per event elsewhere. */
export function watchSweep(display: LinesDisplay, say: (line: string) => void): SweepWatch {
  const standings = new Map<string, Standing>();
  let [total, over, start] = [0, 0, 0];
  let timer: NodeJS.Timeout | undefined;
  const show = (): void => {
    const active = [...standings.values()].toSorted((a, b) =>
      a.worker.localeCompare(b.worker, 'en', { numeric: true }),
    );
    const share = (over + active.reduce((sum, { done }) => sum + done, 0)) / Math.max(1, total);
    display.show([
      ...active.map(({ worker, id, text }) => `${worker.padStart(3)}  ${id}  ${text}`),
      sweepLine(over, total, share, wallClock() - start),
    ]);
  };
  const note = (line: string): void => {
    display.clear();
    say(line);
  };
  return {
    begin(count, headline) {
      [total, start] = [count, wallClock()];
      note(headline);
      timer = setInterval(show, 500);
    },
    event(job, event) {
      const { id } = job;
      const worker = 'worker' in event ? event.worker : standings.get(id)?.worker;
      const standing = standingOf(job, event);
      if (standing !== undefined) standings.set(id, { worker: worker ?? '', id, ...standing });
      if (['done', 'failed', 'lost', 'stopped'].includes(event.event)) standings.delete(id);
      switch (event.event) {
        case 'done': {
          over += 1;
          const { accPercent, trainSec } = event.result;
          const line = sweepLine(over, total, over / total, wallClock() - start);
          note(`${id}  ${fixed(accPercent, 2)} %  ${trainSec.toFixed(1)} s  (${line})`);
          break;
        }
        case 'retried':
          display.note(`${id}: ${event.message} Restarted.`);
          break;
        case 'failed':
        case 'lost':
          over += 1;
          display.note(`${id} failed: ${event.message}`);
          break;
        default:
      }
    },
    end() {
      clearInterval(timer);
      display.clear();
    },
  };
}

/** Progress of a job after an event; undefined if the event has none. */
function standingOf(
  job: RunJob,
  event: ExecutorEvent,
): Pick<Standing, 'done' | 'text'> | undefined {
  switch (event.event) {
    case 'assigned':
      return { done: 0, text: 'starts' };
    case 'progress': {
      const { done, epoch, epochs, imagesPerSec, acc, leftSec } = event;
      const text =
        `epoch ${epoch}/${epochCount(epochs)}  ${Math.floor(100 * done)} %  ${imagesPerSec.toFixed(0)} img/s  ` +
        `acc ${fixed(100 * acc, 2)} %  ${durationText(leftSec)} left`;
      return { done, text };
    }
    case 'epoch': {
      const { row } = event;
      const { epochs } = job.experiment.run;
      const text = `epoch ${row.epoch}/${epochCount(epochs)}  test accuracy ${fixed(100 * row.valid.acc, 2)} %`;
      return { done: row.epoch / epochs, text };
    }
    default:
      return undefined;
  }
}
