/* Text in roff (groff_man(7)). */

/** Lines that stay as they are. */
export function literal(lines: readonly string[]): string[] {
  return ['.PP', '.nf', ...lines.map(escaped), '.fi'];
}

/** Text in which roff sees no request and no escape, and hyphens are those that are typed. */
export function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/, '\\&');
}
