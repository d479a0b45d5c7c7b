/** JSON that is safe inside a script element of a page: no text in it can close the element or open another. */
export function scriptJson(json: string): string {
  return json.replaceAll('<', String.raw`\u003c`);
}
