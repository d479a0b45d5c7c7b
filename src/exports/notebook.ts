/**
 * `cifar10-fast/notebook`: output for notebook cells. Charts, tables, drawings of networks, pictures, live training.
 */

// Randomness, errors.
export type { MimeBundle } from '../base/kernel-host';

// Networks as graphs.
export { colourMap, legend } from '../graph/colours';

// Notebook.
export { clearOutput, display } from '../notebook/display';
export type { DisplayHandle, DisplayOptions } from '../notebook/display';
export { ablationFigure } from '../notebook/ablation-figure';
export { animateDrawings } from '../notebook/animate';
export { changes } from '../notebook/changes';
export { channelPlot } from '../notebook/channel-plot';
export type { ChannelPlotOptions } from '../notebook/channel-plot';
export { chart, vegaLite } from '../notebook/chart';
export type { VegaLiteSpec } from '../notebook/chart';
export type { Channel, ChartOptions, Mark } from '../notebook/chart-options';
export type { Guide } from '../report/guides';
export { comparison, epochRows, recordedRuns } from '../notebook/compare-runs';
export { curves } from '../notebook/curves';
export type { CurveRun } from '../notebook/curves';
export { eigenpairsLive, gradientsLive, surfacesLive } from '../notebook/curvature-live';
export type { EigenpairsLiveOptions, NamedPlace, Samples } from '../notebook/curvature-live';
export { descentPicture } from '../notebook/descent-picture';
export { drawing } from '../notebook/drawing';
export type { DrawingOptions } from '../notebook/drawing';
export { show } from '../notebook/figure';
export type { Figure } from '../notebook/figure';
export { ablationTable, stepTable } from '../notebook/evidence-tables';
export { frontier, frontierFigure } from '../notebook/frontier-figure';
export type { FrontierFigure } from '../notebook/frontier-figure';
export { histograms } from '../notebook/histograms';
export type { HistogramOptions } from '../notebook/histograms';
export type { LiveRun, TracePoint } from '../notebook/live-view';
export { notebookScale } from '../notebook/notebook-scale';
export { pictures } from '../notebook/picture';
export type { PictureOptions } from '../notebook/picture';
export { parallelPlot } from '../notebook/parallel-plot';
export type { ParallelOptions } from '../notebook/parallel-plot';
export type { AxisOption, PlotAxis } from '../notebook/plot-axis';
export { loadPlotly, plotly } from '../notebook/plotly';
export type { PlotlyLayout, PlotlyTrace } from '../notebook/plotly';
export { followLive, trialsLive } from '../notebook/series-live';
export type { FollowedStart, TrialsOf, TrialsOptions } from '../notebook/series-live';
export { surfacePlot } from '../notebook/surface-plot';
export type { SurfaceOptions } from '../notebook/surface-plot';
export { tabulate } from '../notebook/tabulate';
export type { TabulateOptions } from '../notebook/tabulate';
export { resumeLive, trainLive } from '../notebook/train-live';
export type { LiveOptions, ExperimentOrName } from '../notebook/train-live';
