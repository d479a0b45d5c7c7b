import { coreSubjects } from './core-subjects';
import type { Fixture } from './fixture';
import { networkSubject } from './network-subject';
import { optimisersSubject } from './optimisers-subject';
import { preprocessSubjects } from './preprocess-subjects';
import type { Subject } from './subject';

/** The subjects of a fixture: the parts in which the library is measured. */
export async function subjectsOf(fixture: Fixture): Promise<readonly Subject[]> {
  switch (fixture.kind) {
    case 'network':
      return [networkSubject(fixture)];
    case 'preprocess':
      return preprocessSubjects(fixture);
    case 'optimisers':
      return [optimisersSubject(fixture)];
    case 'core':
      return coreSubjects(fixture);
    default:
      return fixture satisfies never;
  }
}
