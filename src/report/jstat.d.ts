/** What we use of jStat 1.9, which brings no types of its own. */
declare module 'jstat' {
  /** A distribution with whatever parameters it has, the variable first. */
  interface Distribution<P extends readonly number[]> {
    cdf(x: number, ...parameters: P): number;
    inv(probability: number, ...parameters: P): number;
  }
  export const studentt: Distribution<[freedom: number]>;
  export const noncentralt: Pick<Distribution<[freedom: number, noncentrality: number]>, 'cdf'>;
  export const chisquare: Distribution<[freedom: number]>;
  export const normal: Distribution<[mean: number, sd: number]>;
}
