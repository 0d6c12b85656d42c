/**
 * What a hole of a file reads as: MAX_DATA bytes, which nobody may write to.
 */
import { MAX_DATA } from './limits.js';

export const ZEROS = Buffer.alloc(MAX_DATA);
