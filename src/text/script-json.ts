/** JSON that may stand in a script element of a page: no text in it ends the element or opens another one. */
export function scriptJson(json: string): string {
  return json.replaceAll('<', String.raw`\u003c`);
}
