import { basedOn, demo, widths } from './bases';
import { bagOfTricksExperiments } from './bag-of-tricks';
import type { Experiment } from './experiment';

const last = bagOfTricksExperiments[bagOfTricksExperiments.length - 1];

/** The two scripts of the study: `dawn` trains the network of post 4, `new-dawn` the recipe that post 8 ends with. */
export const scriptExperiments: readonly Experiment[] = [
  {
    ...basedOn(demo, 'scripts'),
    name: 'dawn',
    title: 'the script of post 4: ResNet-9 in 24 epochs, timed as DAWNBench asks',
    published: {
      hardware: 'V100',
      accPercent: 93.95,
      timeSec: 74.7,
      runs: 1,
      note: 'stored in the notebook of post 8; time of training and preprocessing',
    },
  },
  {
    ...basedOn(last, 'scripts'),
    name: 'new-dawn',
    title: 'the script of post 8: ten epochs with every trick, timed as DAWNBench asks',
    net: { model: 'new-dawn', channels: widths, weight: 1 / 16, splits: 16, alpha: 0.3 },
    published: {
      hardware: 'V100',
      accPercent: 94.1,
      timeSec: 26,
      note: 'mean of many runs, from the text of the post; time of training',
    },
  },
];
