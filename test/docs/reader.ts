/*
 * Who reads a document at a terminal, as root of a machine of their own, and types what it says: every command of its blocks, one
 * after the other, up to the first that fails. `host` is an alias of the daemon; what mounts it makes nobody else sees.
 *
 *   ```sh             commands; npm's are of the checkout, which is built already
 *   ```sh not-run     commands that would change this machine, or take it over
 *   ```console        lines after `$ ` are commands, those after a prompt of ftpctl what is typed there
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { clientFiles } from '../../client/files.js';
import type { Daemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { programs } from '../lib/programs.js';
import type { Scope } from '../lib/scope.js';
import { Terminal } from '../lib/terminal.js';
import type { Block, Document } from './markdown.js';

/** Typed whenever a password is asked for. */
const PASSWORD = 'correct horse';

const QUESTIONS: readonly (readonly [RegExp, string])[] = [
  [/\(yes\/no\)\? $/, 'yes'],
  [/[Pp]assword of \S+: $|The same again: $/, PASSWORD],
  [/^# $/m, 'exit'], // A shell in a shell.
];

/** What the shell does before and after: the paths that documents name are the reader's own, and daemons end with it. */
const PRELUDE = `
set -eu
mount -t tmpfs none /mnt
mount -t tmpfs none /srv
ftpmountd() { # As it is written, but on a port that is free and with a state of its own, and the next command comes when it serves.
  local said=$(mktemp)
  FTPMOUNT_STATE=$(mktemp -d) command ftpmountd "$@" --listen 127.0.0.1:0 >"$said" 2>&1 &
  until grep -q '^listening' "$said"; do kill -0 $!; sleep 0.02; done
}
curl() { # The page is where it is free, too.
  command curl --silent --fail "\${@//127.0.0.1:8084/$WEB}"
}
at_end() {
  local code=$?
  awk '$3 == "fuse.ftpmount" { print $2 }' /proc/mounts | xargs -r -n 1 umount -l
  kill $(jobs -p) 2>/dev/null || true
  echo "exit code $code"
}
trap at_end EXIT
cd
mkdir -p remote photos/2024 'archive/old films'
touch photos/sea.jpg photos/2024/hills.jpg archive/film.mkv 'archive/old films/first.mkv'
echo '${PASSWORD}' > password.txt
chmod 600 password.txt
tar -chf rootfs.tar -C / bin/sh $(ldd /bin/sh | grep -o '/[^ ]*' | cut -c 2-)
`;

/** What is in the home of who has one already. */
const FILLED = 'ftpctl put -r -q --accept-new archive photos alice@host:';

/** `web`: HOST:PORT of the page. Resolves with what the terminal showed, of which the last line is `exit code N`. */
export async function followDocument(
  scope: Scope,
  { daemon, web }: { readonly daemon: Daemon; readonly web: string },
  document: Document,
): Promise<string> {
  const home = temporaryDirectory(scope);
  const bin = path.join(home, '.bin');
  mkdirSync(bin);
  for (const [name, program] of Object.entries(programs)) {
    writeFileSync(path.join(bin, name), `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`, {
      mode: 0o755,
    });
  }
  const { config } = clientFiles(daemon.env);
  mkdirSync(path.dirname(config), { recursive: true });
  writeFileSync(config, `[hosts.host]\nhost = "127.0.0.1"\nport = ${daemon.port}\n`, { mode: 0o600 });
  const typed = document.blocks.flatMap((block) => {
    const commands = commandsOf(block);
    return commands === undefined ? [] : [`echo '== ${document.name}:${block.line}'`, commands];
  });
  const script = path.join(home, '.script');
  const hasHome = existsSync(clientFiles(daemon.env).key);
  writeFileSync(script, [PRELUDE, ...(hasHome ? [FILLED] : []), ...typed, ''].join('\n'));
  const terminal = new Terminal(scope, ['unshare', '--mount', '--propagation', 'private', 'bash', script], {
    ...daemon.env,
    HOME: home,
    PATH: `${bin}:${process.env['PATH']}`,
    TMPDIR: home,
    WEB: web,
  });
  await answered(terminal);
  return terminal.output;
}

/** What is run of a block; undefined: nothing. */
export function commandsOf({ language, marks, text }: Block): string | undefined {
  if (language === 'sh') return marks.includes('not-run') || text.startsWith('npm ') ? undefined : text;
  if (language !== 'console') return undefined;
  return text.replaceAll(/^\$ (.*)\n((?:(?!\$ ).*(?:\n|$))*)/gm, (_, command: string, following: string) => {
    const lines = [...following.matchAll(/^\S+> (.*)$/gm)].map(([, line = '']) => line);
    return lines.length === 0 ? `${command}\n` : `${command} <<'END'\n${lines.join('\n')}\nEND\n`;
  });
}

/** Types what is asked for, until the shell has ended. */
async function answered(terminal: Terminal): Promise<void> {
  const any = new RegExp(
    `${QUESTIONS.map(([question]) => question.source).join('|')}|== \\S+|exit code \\d+`,
    'm',
  );
  for (;;) {
    const said = await terminal.says(any);
    const answer = QUESTIONS.find(([question]) => question.test(said))?.[1];
    if (answer !== undefined) terminal.type(`${answer}\r`);
    if (said.startsWith('exit code')) break;
  }
  await terminal.exited;
}
