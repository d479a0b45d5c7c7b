/** The version of this library, as package.json has it; a run's record and its checkpoints name it. */
export const version: string = '0.1.0';
