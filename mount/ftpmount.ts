#!/usr/bin/env -S node --max-semi-space-size=4
/* What is started as ftpmount: the program is main.ts, for a node that can read it. */
import { requireNode } from '../program/node-version.js';

requireNode('ftpmount');
void import('./main.js');
