import type { HostTensor } from '../../src/base/host-tensor';
import { filled } from '../../src/base/host-tensor';
import { updateParameters } from '../../src/optim/optimiser';
import type { Optimiser, RuleName } from '../../src/optim/optimiser';
import type { Numbers } from '../expect-close';
import type { Engine } from './engine';
import type { Fixture } from './fixture';
import type { Said, Subject } from './subject';

type OptimisersFixture = Extract<Fixture, { readonly kind: 'optimisers' }>;

/** The update rules by the fixture's names. */
const rules: ReadonlyMap<string, RuleName> = new Map([
  ['nesterov', 'nesterov-b'],
  ['lars', 'lars'],
]);

/** A few steps of each update rule on one tensor, from given gradients. */
export function optimisersSubject(fixture: OptimisersFixture): Subject {
  const { name, tensors } = fixture;
  return {
    file: name,
    expected: new Map<string, Said>([...tensors].filter(([key]) => !/^(w0|grad\d+)$/.test(key))),
    measure: async (engine) => {
      const found = new Map<string, Said>();
      for (const [of, rule] of rules) {
        if (![...tensors.keys()].some((key) => key.startsWith(`${of}/`))) continue;
        for (const [step, { w, v }] of (await measure(fixture, rule, engine)).entries()) {
          found.set(`${of}/w${step + 1}`, w).set(`${of}/v${step + 1}`, v);
        }
      }
      return { values: found };
    },
  };
}

async function measure(
  { spec, tensors }: OptimisersFixture,
  rule: RuleName,
  engine: Engine,
): Promise<{ readonly w: Numbers; readonly v: Numbers }[]> {
  const optimiser: Optimiser = { rule, groups: [] };
  const tensor = (name: string): HostTensor => {
    const found = tensors.get(name);
    if (found === undefined) throw new Error(`parity: the fixture has no tensor "${name}".`);
    return { shape: found.shape, data: Float32Array.from(found.data) };
  };
  const w0 = tensor('w0');
  const session = engine.open({ parameters: { w: w0 }, velocity: { w: filled(w0.shape, 0) } });
  const feedOf = (index: number) => {
    const { lr, weight_decay: weightDecay, momentum } = spec.steps[index];
    return { gradients: { w: tensor(`grad${index + 1}`) }, hyper: { lr, weightDecay, momentum } };
  };
  const update = session.capture(
    rule,
    ({ parameters, velocity }, { gradients, hyper }) => ({
      state: updateParameters(optimiser, parameters, gradients, velocity, hyper),
    }),
    feedOf(0),
  );
  const found = [];
  for (const index of spec.steps.keys()) {
    await update(feedOf(index));
    const { parameters, velocity } = await session.read('parameters', 'velocity');
    found.push({ w: parameters.w, v: velocity.w });
  }
  session.dispose();
  return found;
}
