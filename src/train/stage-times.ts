/** Seconds of a step, by the key of its stage: what the warm-up measured, and a moving average of the steps since. */
export class StageTimes {
  readonly #sec = new Map<string, number>();
  readonly #trained = new Set<string>();

  /** Seconds of a step of a stage; undefined before the warm-up. */
  get(key: string): number | undefined {
    return this.#sec.get(key);
  }

  /** Takes over what the warm-up measured. */
  set(key: string, sec: number): void {
    this.#sec.set(key, sec);
    this.#trained.delete(key);
  }

  /** Follows a step of training. Stages to come are taken to be as much faster or slower than in the warm-up as this one. */
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
