/** A date and time as the reference implementation prints it: `2026-11-23 14:05:09`, in the machine's time zone. */
export function localtime(date: Date = new Date()): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const year = String(date.getFullYear()).padStart(4, '0');
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return `${year}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock}`;
}
