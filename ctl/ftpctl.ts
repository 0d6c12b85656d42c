#!/usr/bin/env node
/* What is started as ftpctl: the program is main.ts, for a node that can read it. */
import { requireNode } from '../program/node-version.js';

requireNode('ftpctl');
void import('./main.js');
