/** What the page says of its network and its test images; the program in `page/` reads it. */
export interface PageAbout {
  readonly record: string;
  readonly scale: string;
  readonly seed: number;
  /** Finished epochs, and those that the experiment has. */
  readonly epoch: number;
  readonly epochs: number;
  /** Absent if the run is not finished. */
  readonly accPercent?: number;
  /** Trainable numbers. */
  readonly parameters: number;
  /** Whether the scores are the mean over an image and its mirror image. */
  readonly tta: boolean;
  readonly classes: readonly string[];
  /** Names of nodes of the graph model; values are `[N,H,W,C]`. */
  readonly stages: readonly { readonly name: string; readonly node: string }[];
  /** The name of the node that the head reads. */
  readonly features: string;
  readonly test: {
    readonly columns: number;
    /** True classes `[N]`, and what the network takes the images for `[N]`. */
    readonly labels: readonly number[];
    readonly predicted: readonly number[];
    /** Probabilities `[10]` of the first image: a backend that computes others is not used. */
    readonly first: readonly number[];
  };
}
