/** The version of this library, as in package.json; stored with every run and checkpoint. */
export const version: string = '0.1.0';
