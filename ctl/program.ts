/** What the program is called, before what it tells. */
export const PROGRAM = 'ftpctl';
