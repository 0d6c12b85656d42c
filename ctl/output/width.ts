/**
 * How many columns of a terminal a text takes: two for a Chinese character or an emoji, none for an accent that is joined to the
 * letter before it.
 */
import stringWidth from 'string-width';

const ELLIPSIS = '...';
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** At most: some terminals draw several characters as one emoji, others each by itself. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += stringWidth(character);
  return width;
}

/** The text in so many columns, of which there are four at least: with blanks behind it, or without its beginning. */
export function fitted(text: string, columns: number): string {
  const width = widthOf(text);
  if (width <= columns) return text + ' '.repeat(columns - width);
  let end = '';
  let room = columns - ELLIPSIS.length;
  for (const { segment } of [...graphemes.segment(text)].toReversed()) {
    const wide = widthOf(segment);
    if (wide > room) break;
    room -= wide;
    end = segment + end;
  }
  return `${ELLIPSIS}${end}${' '.repeat(room)}`;
}
