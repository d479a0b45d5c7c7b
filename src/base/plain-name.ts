/**
 * Whether a name can be that of a file or folder wherever it goes: letters, digits, spaces and `_ . + - ( )`, not beginning with
 * a dot or a space. So it leads out of no folder, and a terminal and a chart show it as it is.
 */
export const plainName: RegExp = /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_ .+()-]*$/u;

/** What {@link plainName} takes, for errors. */
export const plainNameExpected = 'a name of letters, digits, spaces and _ . + - ( )';
