/**
 * Matches a name that is safe for a file or folder: letters, digits, spaces and `_ . + - ( )`, the first one a letter, digit or
 * `_`. Such a name cannot leave its folder, and terminals and charts show it unchanged.
 */
export const plainName: RegExp = /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_ .+()-]*$/u;

/** What {@link plainName} accepts, for error messages. */
export const plainNameExpected = 'a name of letters, digits, spaces and _ . + - ( )';
