/** A fault as in `faults.mjs`: file, original code, faulty code, test files (default: the test beside the file). */
export type Fault = readonly string[];

export function testsIn(folder: string, tests: string): 'pass' | 'fail' | 'none' | 'no report';

export function outcomeOf(folder: string, fault: Fault, unchanged: Map<string, string>): string;
