/*
 * The Debian package: the programs with their node_modules in /usr/lib/ftpmount, links to them, and the service. Its files
 * that need no making are in debian/ beside this source.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { SHELLS, type Shell } from '../ctl/completed-shells.js';
import { programFile, type ProgramName } from '../program/location.js';
import { CHECKOUT, copyPrograms, placeOf, readManifest } from './checkout.js';
import { defaultConfig } from './default-config.js';
import { helpOf, manPages } from './man-pages.js';
import { mountCompletion } from './mount-completion.js';
import { copyNodeModules } from './node-modules.js';

const LIBRARY = 'usr/lib/ftpmount';
const CONFIG = 'etc/ftpmount/ftpmountd.toml';

/** Links, relative to the root, and the programs that they are. */
const LINKS: Readonly<Record<string, ProgramName>> = {
  'usr/bin/ftpmount': 'ftpmount',
  'usr/bin/ftpmountd': 'ftpmountd',
  'usr/bin/ftpctl': 'ftpctl',
  // Debian's /sbin is a link to it: mount(8) looks there.
  'usr/sbin/mount.ftpmount': 'ftpmount',
};

/** Files of debian/, and where they go. */
const INSTALLED: Readonly<Record<string, string>> = {
  'ftpmountd.service': 'usr/lib/systemd/system/ftpmountd.service',
  'ftpmountd.socket': 'usr/lib/systemd/system/ftpmountd.socket',
  'ftpmount.user.service': 'usr/lib/systemd/user/ftpmount.service',
  'ftpmount.sysusers': 'usr/lib/sysusers.d/ftpmount.conf',
  'ftpmount.tmpfiles': 'usr/lib/tmpfiles.d/ftpmount.conf',
};
/** By the shell: where each looks for what completes the commands of packages. */
const COMPLETIONS: Readonly<Record<Shell, (program: string) => string>> = {
  bash: (program) => `usr/share/bash-completion/completions/${program}`,
  zsh: (program) => `usr/share/zsh/vendor-completions/_${program}`,
  fish: (program) => `usr/share/fish/vendor_completions.d/${program}.fish`,
};
const MAINTAINER_SCRIPTS = ['postinst', 'prerm', 'postrm'] as const;

/** Names of node's architectures in Debian: those for which there are prebuilt native modules. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** Makes it in `directory`, from a tree in `scratch`. Returns its path. */
export function makeDebianPackage(directory: string, scratch: string): string {
  const { name, version, description } = readManifest(CHECKOUT);
  const architecture = ARCHITECTURES[process.arch];
  if (architecture === undefined) throw new Error(`no Debian package is made for ${process.arch}`);
  const root = path.join(scratch, 'root');
  layOut(root);
  writeFile(
    root,
    'DEBIAN/control',
    `Package: ${name}
Version: ${version}
Architecture: ${architecture}
Maintainer: the ftpmount developers <ftpmount@localhost>
Installed-Size: ${Math.ceil(sizeOf(root) / 1024)}
Depends: nodejs (>= 20.19), fuse3, libc6, libstdc++6
Recommends: systemd
Section: net
Priority: optional
Description: ${description.replace(/^A /, '')}
 ftpmount mounts a home on a server, ftpctl moves files to and from it,
 and ftpmountd serves private, quota-limited homes over the network.
`,
  );
  writeFile(root, 'DEBIAN/conffiles', `/${CONFIG}\n`);
  for (const script of MAINTAINER_SCRIPTS) {
    install(root, script, `DEBIAN/${script}`);
    chmodSync(path.join(root, 'DEBIAN', script), 0o755);
  }
  const file = path.join(directory, `${name}_${version}_${architecture}.deb`);
  // xz at its least is quick, and a third larger than at its best.
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zxz', '-z1', '--build', root, file], { stdio: 'pipe' });
  return file;
}

function layOut(root: string): void {
  const library = path.join(root, LIBRARY);
  mkdirSync(library, { recursive: true });
  copyPrograms(library);
  copyNodeModules(library);
  copyFileSync(path.join(CHECKOUT, 'package.json'), path.join(library, 'package.json'));
  for (const [link, program] of Object.entries(LINKS)) {
    mkdirSync(path.join(root, path.dirname(link)), { recursive: true });
    symlinkSync(
      path.relative(path.join('/', path.dirname(link)), path.join('/', LIBRARY, placeOf(program))),
      path.join(root, link),
    );
  }
  for (const [file, place] of Object.entries(INSTALLED)) install(root, file, place);
  writeFile(root, CONFIG, defaultConfig());
  for (const [page, text] of Object.entries(manPages()))
    writeFile(root, `usr/share/man/man${page.at(-1)}/${page}.gz`, gzipSync(text));
  const ftpctl = fileURLToPath(programFile('ftpctl'));
  const mountHelp = helpOf('ftpmount', []);
  for (const shell of SHELLS) {
    const scriptOf = COMPLETIONS[shell];
    writeFile(root, scriptOf('ftpctl'), execFileSync(process.execPath, [ftpctl, 'completion', shell]));
    writeFile(root, scriptOf('ftpmount'), mountCompletion(shell, mountHelp));
  }
  const documentation = path.join(root, 'usr/share/doc/ftpmount');
  // As in the checkout, for the links in them.
  cpSync(path.join(CHECKOUT, 'docs'), path.join(documentation, 'docs'), { recursive: true });
  for (const file of ['README.md', 'CHANGELOG.md', 'protocol.md'])
    copyFileSync(path.join(CHECKOUT, file), path.join(documentation, file));
  copyFileSync(path.join(CHECKOUT, 'LICENSE'), path.join(documentation, 'copyright'));
}

/** Copies a file of debian/ to a place below the root. */
function install(root: string, file: string, place: string): void {
  mkdirSync(path.join(root, path.dirname(place)), { recursive: true });
  copyFileSync(path.join(CHECKOUT, 'packaging/debian', file), path.join(root, place));
}

function writeFile(root: string, place: string, content: string | Uint8Array): void {
  mkdirSync(path.join(root, path.dirname(place)), { recursive: true });
  writeFileSync(path.join(root, place), content);
}

/** Bytes of all files of a tree. */
function sizeOf(root: string): number {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(path.join(entry.parentPath, entry.name)).size, 0);
}
