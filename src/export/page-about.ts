/** What the page shows about its network and its test images; the program in `page/` reads it. */
export interface PageAbout {
  readonly record: string;
  readonly scale: string;
  readonly seed: number;
  /** Finished epochs, and the experiment's total. */
  readonly epoch: number;
  readonly epochs: number;
  /** Absent if the run is not finished. */
  readonly accPercent?: number;
  /** Number of trainable parameters. */
  readonly parameters: number;
  /** Whether scores are averaged over an image and its mirror image. */
  readonly tta: boolean;
  readonly classes: readonly string[];
  /** Names of graph model nodes; their values are `[N,H,W,C]`. */
  readonly stages: readonly { readonly name: string; readonly node: string }[];
  /** The name of the node that the head reads. */
  readonly features: string;
  readonly test: {
    readonly columns: number;
    /** True classes `[N]` and the network's predictions `[N]`. */
    readonly labels: readonly number[];
    readonly predicted: readonly number[];
    /** Probabilities `[10]` of the first image: the page rejects a backend that computes others. */
    readonly first: readonly number[];
  };
}
