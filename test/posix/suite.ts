/*
 * What programs rely on in a file system, as named operations. The same list runs against a plain directory of this
 * machine and against a mounted home (see the tests beside it): the plain directory says what is right, so an
 * operation that fails there is wrong itself.
 */
import type { Operation } from './operation.js';
import { attributes } from './suite/attributes.js';
import { directories } from './suite/directories.js';
import { files } from './suite/files.js';
import { links } from './suite/links.js';
import { locks } from './suite/locks.js';
import { names } from './suite/names.js';
import { renames } from './suite/renames.js';
import { space } from './suite/space.js';
import { special } from './suite/special.js';
import { xattrs } from './suite/xattrs.js';

/** By subject, then by name. */
export const suite: Readonly<Record<string, Readonly<Record<string, Operation>>>> = {
  files,
  directories,
  renames,
  links,
  attributes,
  locks,
  space,
  special,
  names,
  xattrs,
};
