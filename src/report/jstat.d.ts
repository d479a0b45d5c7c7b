/** The parts of jStat 1.9 that we use; it comes without types. */
declare module 'jstat' {
  /** A distribution; functions take the variable first, then the distribution's parameters. */
  interface Distribution<P extends readonly number[]> {
    cdf(x: number, ...parameters: P): number;
    inv(probability: number, ...parameters: P): number;
  }
  export const studentt: Distribution<[freedom: number]>;
  export const noncentralt: Pick<Distribution<[freedom: number, noncentrality: number]>, 'cdf'>;
  export const chisquare: Distribution<[freedom: number]>;
  export const normal: Distribution<[mean: number, sd: number]>;
}
