import { vegaLite } from './chart';
import type { Figure } from './figure';
import { ink, series } from './theme';

/** The largest x in the picture, and the height of the parabola there. */
const side = 11;
const [width, height] = [320, 400];
const top = side ** 2 / 2;

/**
 * Gradient descent on f(x) = x^2 / 2 from x = 2: each step goes from x to (1 - rate) x, for at most twenty steps, until one
 * leaves the picture. A slider below it sets the rate, from 1.8 to 2.5, wherever charts are interactive.
 *
 * Above a rate of 2 (two divided by the second derivative) every step ends higher than it began.
 *
 * @param rate the initial value of the slider, and the one that a picture shows; default: 2.2
 */
export function descentPicture(rate = 2.2): Promise<Figure> {
  // The browser computes the steps in closed form: iterate k is 2 (1 - rate)^k.
  const steps = {
    data: { sequence: { start: 0, stop: 21, as: 'k' } },
    transform: [
      { calculate: '2 * pow(1 - rate, datum.k)', as: 'x' },
      { calculate: `2 * pow(1 - rate, max(datum.k - 1, 0))`, as: 'before' },
      { filter: `abs(datum.before) <= ${side}` },
      { calculate: 'datum.x * datum.x / 2', as: 'f' },
      { calculate: `(datum.x - datum.before) * ${width / (2 * side)}`, as: 'right' },
      {
        calculate: `(datum.f - datum.before * datum.before / 2) * ${height / top}`,
        as: 'up',
      },
      { calculate: 'atan2(datum.right, datum.up) * 180 / PI', as: 'angle' },
    ],
  };
  const x = { field: 'x', type: 'quantitative', axis: null, scale: { domain: [-side, side] } };
  const y = { field: 'f', type: 'quantitative', axis: null, scale: { domain: [0, top] } };
  const colour = { value: series[1] };
  const quiet = { clip: true, tooltip: false };
  return vegaLite(
    {
      title: {
        text: 'Gradient descent on a parabola',
        subtitle: 'above a rate of 2, each step ends higher than it began',
      },
      width,
      height,
      params: [
        {
          name: 'rate',
          value: rate,
          bind: { input: 'range', min: 1.8, max: 2.5, step: 0.05, name: 'learning rate ' },
        },
      ],
      layer: [
        {
          data: { sequence: { start: -side, stop: side + 0.1, step: 0.25, as: 'x' } },
          transform: [{ calculate: 'datum.x * datum.x / 2', as: 'f' }],
          mark: { type: 'line', ...quiet },
          encoding: { x, y, color: { value: series[0] } },
        },
        {
          ...steps,
          mark: { type: 'line', strokeWidth: 1.25, ...quiet },
          encoding: { x, y, color: colour, order: { field: 'k', type: 'quantitative' } },
        },
        {
          ...steps,
          transform: [...steps.transform, { filter: 'datum.k > 0' }],
          mark: { type: 'point', shape: 'triangle', size: 70, ...quiet },
          encoding: {
            x,
            y,
            color: colour,
            angle: { field: 'angle', type: 'quantitative', scale: null },
          },
        },
        {
          data: { values: [{ x: 2, f: 2 }] },
          mark: { type: 'point', size: 50, ...quiet },
          encoding: { x, y, color: { value: ink.text } },
        },
        {
          data: { values: [{}] },
          mark: { type: 'text', text: { expr: "'rate ' + format(rate, '.2f')" }, tooltip: false },
          encoding: { x: { value: width / 2 }, y: { value: 14 } },
        },
      ],
    },
    `Gradient descent on x^2 / 2 from x = 2 at a rate of ${rate}: each step multiplies x by ${(1 - rate).toFixed(2)}`,
  );
}
