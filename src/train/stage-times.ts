/** Seconds per step, by stage key: measured by the warm-up, then updated as a moving average over the steps since. */
export class StageTimes {
  readonly #sec = new Map<string, number>();
  readonly #trained = new Set<string>();

  /** Seconds per step of a stage; undefined before the warm-up. */
  get(key: string): number | undefined {
    return this.#sec.get(key);
  }

  /** Stores a warm-up's measurement; of two warm-ups without a step of the stage in between, the faster one. */
  set(key: string, sec: number): void {
    const before = this.#trained.has(key) ? Infinity : (this.get(key) ?? Infinity);
    this.#sec.set(key, Math.min(sec, before));
    this.#trained.delete(key);
  }

  /** Updates the average with a training step. Stages not yet trained are scaled by the same factor as this one. */
  follow(key: string, sec: number): void {
    const measured = this.#sec.get(key);
    if (measured === undefined) return;
    this.#trained.add(key);
    const factor = 0.9 + (0.1 * sec) / measured;
    for (const [other, before] of this.#sec) {
      if (other === key || !this.#trained.has(other)) this.#sec.set(other, before * factor);
    }
  }
}
