/*
 * The man pages, in roff (groff_man(7)): of the programs by what their --help says, of the daemon's configuration by its table of
 * settings, of the client's and of the protocol by their documents.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { SETTING_NAMES, SETTINGS } from '../daemon/config.js';
import { programFile, type ProgramName } from '../program/location.js';
import { CHECKOUT, readManifest } from './checkout.js';
import { exampleOf } from './default-config.js';
import { blocksFrom, parseHelp, withoutRemark, type Block, type Help } from './help-text.js';
import { markdownPage } from './markdown-page.js';
import { escaped, literal } from './roff.js';

/** Titles of lists in a help that list no commands. */
const NO_COMMANDS: ReadonlySet<string> = new Set(['Arguments', 'Options', 'Exit codes', 'Mount options']);
/** commander's own, which explains the others. */
const HELP_COMMAND = 'help';

/** Pages by their names with the section: `ftpctl.1`. */
export function manPages(): Record<string, string> {
  return {
    'ftpmount.1': programPage(
      'ftpmount',
      1,
      'ftpctl(1), ftpmountd(8), ftpmount-config(5), mount.ftpmount(8), fuse(4)',
    ),
    'ftpctl.1': programPage('ftpctl', 1, 'ftpmount(1), ftpmountd(8), ftpmount-config(5)'),
    'ftpmountd.8': programPage(
      'ftpmountd',
      8,
      'ftpmountd.toml(5), ftpctl(1), ftpmount(1), ftpmount-protocol(7)',
    ),
    'ftpmountd.toml.5': configurationPage(),
    'mount.ftpmount.8': mountPage(),
    ...documentPages(),
  };
}

/** Those that are documents, too. */
export function documentPages(): Record<string, string> {
  return {
    'ftpmount-config.5': documentPage('ftpmount-config', 5, {
      file: 'docs/client-configuration.md',
      purpose: "the client's configuration, config.toml",
      seeAlso: 'ftpmount(1), ftpctl(1)',
    }),
    'ftpmount-protocol.7': documentPage('ftpmount-protocol', 7, {
      file: 'protocol.md',
      purpose: 'how an ftpmount client and server talk',
      seeAlso: 'ftpmount(1), ftpmountd(8)',
    }),
  };
}

function programPage(program: ProgramName, section: number, seeAlso: string): string {
  const help = helpOf(program, []);
  const [about, ...blocks] = help.blocks;
  const purpose = about?.kind === 'paragraph' ? about.text : '';
  return page(program, section, purpose, [
    '.SH SYNOPSIS',
    ...literal(help.usage),
    '.SH DESCRIPTION',
    escaped(purpose),
    ...blocks.flatMap((block) => rendered(block, '.SH')),
    ...commandsOf(help, program, []),
    '.SH SEE ALSO',
    escaped(seeAlso),
  ]);
}

/** The commands that a help lists, and those that theirs do, each with its own help. */
function commandsOf(help: Help, program: ProgramName, parents: readonly string[]): string[] {
  return commandNames(help).flatMap((name) => {
    const command = [...parents, name];
    const own = helpOf(program, command);
    const deeper = commandsOf(own, program, command);
    if (deeper.length > 0) return deeper;
    return [
      `.SH ${escaped(`${program} ${command.join(' ')}`.toUpperCase())}`,
      ...literal(own.usage),
      ...own.blocks.flatMap((block) => rendered(block, '.SS')),
    ];
  });
}

function commandNames({ blocks }: Help): string[] {
  let listed = false;
  const names: string[] = [];
  for (const block of blocks) {
    if (block.kind === 'title') listed = !NO_COMMANDS.has(withoutRemark(block.text));
    else if (block.kind === 'entry' && listed) names.push(block.term.split(' ', 1)[0] ?? '');
  }
  return names.filter((name) => name !== HELP_COMMAND);
}

/** With a home directory that stands for everybody's. */
export function helpOf(program: ProgramName, command: readonly string[]): Help {
  const env = { ...process.env, HOME: '~', XDG_STATE_HOME: '', NODE_OPTIONS: '' };
  const args = [fileURLToPath(programFile(program)), ...command, '--help'];
  return parseHelp(execFileSync(process.execPath, args, { encoding: 'utf8', env }));
}

function configurationPage(): string {
  const entries = SETTING_NAMES.flatMap((name) => {
    const { help, allowed, reloads } = SETTINGS[name];
    const effect = reloads ? 'at once when the configuration is read again' : 'at the next start';
    return [
      ...rendered({ kind: 'entry', term: `${name} = ${exampleOf(name)}`, text: `${help}.` }, '.SH'),
      escaped(`It is ${allowed}, and takes effect ${effect}.`),
    ];
  });
  return page('ftpmountd.toml', 5, 'configuration of ftpmountd', [
    '.SH DESCRIPTION',
    escaped(
      'The daemon reads the file that its option --config names, /etc/ftpmount/ftpmountd.toml for the service, and reads it again on SIGHUP. ' +
        'It is TOML. What the command line says as well counts. An unknown key or a wrong value is an error.',
    ),
    '.SH KEYS',
    'With their defaults, or an example where the default is none.',
    ...entries,
    '.SH SEE ALSO',
    'ftpmountd(8)',
  ]);
}

/** Of the helper of mount(8), which takes what ftpmount does behind -o. */
function mountPage(): string {
  const help = helpOf('ftpmount', []);
  return page('mount.ftpmount', 8, 'mounts a home on an ftpmount server, for mount(8) and fstab(5)', [
    '.SH SYNOPSIS',
    ...literal(['mount -t ftpmount [-o OPTIONS] [USER@]HOST:[DIR] MOUNTPOINT']),
    '.SH DESCRIPTION',
    escaped(
      'mount(8) calls it for the type ftpmount; by hand it is ftpmount(1). Nobody is asked anything where there is no terminal: who mounts, ' +
        'who is root for fstab, logs in by key (ftpctl keygen), and knows the server (ftpctl df once, or the option accept_new).',
    ),
    ...blocksFrom(help, 'Mount options').flatMap((block) => rendered(block, '.SH')),
    '.SH EXAMPLE',
    escaped('A line of /etc/fstab, mounted when somebody goes there:'),
    ...literal(['alice@host:  /mnt/alice  ftpmount  _netdev,nofail,x-systemd.automount,allow_other  0 0']),
    '.SH SEE ALSO',
    'ftpmount(1), ftpmount\\-config(5), mount(8), fstab(5)',
  ]);
}

/** Of a document in Markdown. */
function documentPage(
  name: string,
  section: number,
  { file, purpose, seeAlso }: { readonly file: string; readonly purpose: string; readonly seeAlso: string },
): string {
  const text = readFileSync(path.join(CHECKOUT, file), 'utf8');
  return page(name, section, purpose, [
    '.SH DESCRIPTION',
    ...markdownPage(text),
    '.SH SEE ALSO',
    escaped(seeAlso),
  ]);
}

function page(name: string, section: number, purpose: string, lines: readonly string[]): string {
  const { version } = readManifest(CHECKOUT);
  const short = purpose.charAt(0).toLowerCase() + purpose.slice(1).replace(/\.$/, '');
  return [
    `.TH ${name.toUpperCase()} ${section} "" "ftpmount ${version}"`,
    '.SH NAME',
    `${escaped(name)} \\- ${escaped(short)}`,
    ...lines,
    '',
  ].join('\n');
}

function rendered(block: Block, heading: '.SH' | '.SS'): string[] {
  switch (block.kind) {
    case 'title': {
      const title = withoutRemark(block.text);
      const remark = block.text.slice(title.length).trim();
      return [
        `${heading} ${escaped(heading === '.SH' ? title.toUpperCase() : title)}`,
        escaped(remark),
      ].filter((line) => line !== '');
    }
    case 'paragraph':
      return ['.PP', escaped(block.text)];
    case 'entry':
      return ['.TP', `.B ${escaped(block.term)}`, escaped(block.text)];
    case 'example':
      return literal(block.lines);
  }
}
