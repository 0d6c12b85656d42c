/**
 * How data of one file are asked for: the function that who reads ahead is given, so that it is tested without a server.
 */
import type { Failure } from '../../protocol/failure.js';

/** Gets the data (a view, valid only during the call; shorter than asked for at the end of the file) or what failed. */
export type Arrival = (failure: Failure | undefined, data: Buffer | undefined) => void;

/** Nobody waits for the answer any more. It comes nevertheless: with ECANCELED, or what it was too late to stop. */
export type Cancel = () => void;

/** Asks for at most MAX_DATA bytes. `arrival` is called once, and not before the request has returned. */
export type Fetch = (offset: number, length: number, arrival: Arrival) => Cancel;
