#!/usr/bin/env node
/* What is started as ftpmountd: the program is main.ts, for a node that can read it. */
import { requireNode } from '../program/node-version.js';

requireNode('ftpmountd');
void import('./main.js');
