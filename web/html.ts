/*
 * HTML by tagged templates. Whatever is put into one is text, unless it is HTML already: marks in it are escaped, and what
 * would not show, or turn the text around (controls, newlines, marks of direction), is written out.
 */
import { printable } from '../program/report.js';

export class Html {
  constructor(readonly text: string) {}
}

type Part = Html | string | number | undefined | readonly Part[];

/** Attributes have to be in double quotes. Undefined is nothing. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  let text = '';
  for (const [index, string] of strings.entries()) text += string + textOf(parts[index]);
  return new Html(text);
}

function textOf(part: Part): string {
  if (part === undefined) return '';
  if (part instanceof Html) return part.text;
  if (typeof part === 'object') return part.map(textOf).join('');
  return escaped(printable(String(part)));
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
