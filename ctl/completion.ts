/**
 * `ftpctl completion bash|zsh|fish`: a script for the person's shell, which completes commands, their options, the hosts that
 * this client knows, and behind HOST: the paths of the home. It is made from the command line itself, so that it has what that has.
 *
 * At Tab nothing is run but sed, as to start ftpctl takes a moment; for paths it is `ftpctl complete-path` (complete-path.ts), with
 * the options on the line that say how to log in.
 */
import type { Command } from 'commander';
import { fishOption, FISH_HOSTS, fishText, hostsFunction, type Shell } from './completed-shells.js';
import { writeOut } from './output/stdout.js';
import { PROGRAM } from './program.js';

/** A command, or a group of commands. */
interface Completed {
  /** `key add`; empty: the program. */
  readonly name: string;
  readonly commands: readonly { readonly name: string; readonly text: string }[];
  readonly options: readonly { readonly flags: readonly string[]; readonly text: string }[];
  /** Whether an operand may be on a server. */
  readonly takesHost: boolean;
  /** The options of `ftpctl complete-path` for its paths. */
  readonly paths: string;
}

const SCRIPTS: Readonly<Record<Shell, (commands: readonly Completed[]) => string>> = { bash, zsh, fish };
/** The group of commands whose paths are those that were before. */
const TRASH = 'trash';

/** Sets $login to those of the words of a line that say how to log in. The number tells a port from mkdir's -p. */
const LOGIN_FUNCTION = `_${PROGRAM}_login() {
  login=()
  while (($# > 1)); do
    case "$1 $2" in
      '--port =' | '--password-file =') login+=("$1" "$3") ;;
      '-p '[0-9]* | '--port '[0-9]* | '--password-file '*) login+=("$1" "\${2/#\\~\\//$HOME/}") ;;
      --port=* | --password-file=*) login+=("$1") ;;
    esac
    shift
  done
}`;

/** Returns the exit code. */
export async function completion(shell: Shell, program: Command): Promise<number> {
  await writeOut(SCRIPTS[shell](commandsOf(program, [])));
  return 0;
}

/** A command and all below it. What its first operand may be stands as commands do, for what follows then is another operand. */
function commandsOf(command: Command, names: readonly string[]): Completed[] {
  const help = command.createHelp();
  const below = help.visibleCommands(command);
  const options = help.visibleOptions(command).map(({ short, long, description }) => ({
    flags: [short, long].filter((flag) => flag !== undefined),
    text: description,
  }));
  const all = below.flatMap((one) => commandsOf(one, [...names, one.name()]));
  const choices = command.registeredArguments[0]?.argChoices ?? [];
  const own = {
    name: names.join(' '),
    commands: [
      ...below.map((one) => ({ name: one.name(), text: one.description() })),
      ...choices.map((name) => ({ name, text: '' })),
    ],
    options,
    paths: names[0] === TRASH ? '--trash' : '',
    takesHost: names.length > 0 && [{ options }, ...all].some((one) => hasOption(one, '--accept-new')),
  };
  const chosen = choices.map((choice) => ({ ...own, name: [...names, choice].join(' '), commands: [] }));
  return [own, ...all, ...chosen];
}

function hasOption({ options }: Pick<Completed, 'options'>, name: string): boolean {
  return options.some(({ flags }) => flags.includes(name));
}

function flagsOf({ options }: Completed): string {
  return options.flatMap(({ flags }) => flags).join(' ');
}

/** The pattern of a `case` that matches each command, as far as it is typed. */
function anyOf(commands: readonly Completed[]): string {
  return commands.flatMap(({ name }) => (name === '' ? [] : `' ${name}'`)).join(' | ');
}

/** The branches of a `case` of what is typed. */
function branches(commands: readonly Completed[]): string {
  return commands
    .map((command) => {
      const { name, takesHost, paths } = command;
      const below = command.commands.map((one) => one.name).join(' ');
      return `    ${name === '' ? "''" : `' ${name}'`}) commands='${below}' options='${flagsOf(command)}' hosts='${takesHost ? 'yes' : ''}' paths='${paths}' ;;`;
    })
    .join('\n');
}

function bash(commands: readonly Completed[]): string {
  return `# ${PROGRAM}: eval "$(${PROGRAM} completion bash)"
${hostsFunction(PROGRAM)}
${LOGIN_FUNCTION}
_${PROGRAM}() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} at='' i commands options hosts paths
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at \${COMP_WORDS[i]}" in
      ${anyOf(commands)}) at+=" \${COMP_WORDS[i]}" ;;
    esac
  done
  case $at in
${branches(commands)}
  esac
  COMPREPLY=()
  if [[ $word == : || $before == : ]]; then
    # Behind HOST: stands a path of the server. The line is divided at '@' and ':'.
    compopt +o default -o nospace
    local last=$COMP_CWORD path='' host login found
    [[ $word == : ]] || { path=\${word//\\\\/}; ((last--)); }
    host=\${COMP_WORDS[last - 1]}
    [[ \${COMP_WORDS[last - 2]} == @ ]] && host=\${COMP_WORDS[last - 3]}@$host
    _${PROGRAM}_login "\${COMP_WORDS[@]:1:COMP_CWORD}"
    while read -r found; do
      printf -v word %q "$found"
      [[ $found == */ ]] || word+=' '
      COMPREPLY+=("$word")
    done < <([[ -n $hosts ]] && ${PROGRAM} complete-path $paths "\${login[@]}" -- "$host:$path" 2>/dev/null)
  elif [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$word"))
  else
    COMPREPLY=($(compgen -W "$commands" -- "$word"))
    if [[ -n $hosts ]]; then
      # Where the line is divided at '@' that is a word of its own.
      [[ $word == @ ]] && word=
      local known=($(compgen -S : -W "$(_${PROGRAM}_hosts)" -- "$word"))
      ((\${#known[@]} > 0)) && compopt -o nospace
      COMPREPLY+=("\${known[@]}")
    fi
  fi
}
complete -o default -F _${PROGRAM} ${PROGRAM}
`;
}

function zsh(commands: readonly Completed[]): string {
  return `#compdef ${PROGRAM}
# ${PROGRAM}: eval "$(${PROGRAM} completion zsh)"
${hostsFunction(PROGRAM)}
${LOGIN_FUNCTION}
_${PROGRAM}() {
  local at='' word commands options hosts paths
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$at $word" in
      ${anyOf(commands)}) at+=" $word" ;;
    esac
  done
  case $at in
${branches(commands)}
  esac
  if [[ $PREFIX == -* ]]; then
    compadd -- \${=options}
  elif [[ $PREFIX != *:* ]]; then
    compadd -- \${=commands}
    if [[ -n $hosts ]]; then
      _files
      compset -P '*@'
      compadd -S : -- \${(f)"$(_${PROGRAM}_hosts)"}
    elif [[ -z $commands ]]; then
      _files
    fi
  elif [[ -n $hosts ]]; then
    local host=\${PREFIX%%:*} login found
    _${PROGRAM}_login "\${(@)words[2,CURRENT]}"
    compset -P 1 '*:'
    found=("\${(@f)$(${PROGRAM} complete-path \${=paths} "\${login[@]}" -- "\${(Q)host}:\${(Q)PREFIX}" 2>/dev/null)}")
    compadd -S '' -- \${(M)found:#*/}
    compadd -- \${found:#*/}
  fi
}
# In a file of fpath this is the body of the function, which is to complete already when it is loaded.
if [[ \${funcstack[1]} == _${PROGRAM} ]]; then _${PROGRAM} "$@"; else compdef _${PROGRAM} ${PROGRAM}; fi
`;
}

function fish(commands: readonly Completed[]): string {
  const lines = commands.flatMap(({ name, commands: below, options, takesHost, paths }) => {
    const words = name === '' ? [] : name.split(' ');
    const typed = `__${PROGRAM}_at ${name}`.trim();
    const exactly = `${typed}; and test (count (commandline -opc)) -eq ${words.length + 1}`;
    const complete = (condition: string): string => `complete -c ${PROGRAM} -n ${fishText(condition)}`;
    return [
      ...below.map((one) => `${complete(exactly)} -f -a ${one.name} -d ${fishText(one.text)}`),
      ...(name === '' ? [] : options).map(({ flags, text }) => {
        return `${complete(typed)} ${fishOption(flags, text)}`;
      }),
      ...(takesHost ? [`${complete(typed)} -a '(${`__${PROGRAM}_places ${paths}`.trim()})'`] : []),
    ];
  });
  return `# ${PROGRAM}: ${PROGRAM} completion fish | source
function __${PROGRAM}_at
  set -l words (commandline -opc)
  test (count $argv) -eq 0; and return
  set -l last (math (count $argv) + 1)
  test (count $words) -ge $last; and test "$words[2..$last]" = "$argv"
end
function __${PROGRAM}_places
  set -l word (commandline -ct)
  set -l words (commandline -opc)
  if string match -q '*:*' -- $word
    set -l login
    for i in (seq 2 (count $words))
      switch $words[$i]
        case -p --port --password-file
          # mkdir's -p has no number behind it.
          if test $words[$i] = --password-file; or string match -qr '^[0-9]+$' -- $words[(math $i + 1)]
            set -a login $words[$i] (string replace -r '^~/' $HOME/ -- $words[(math $i + 1)])
          end
        case '--port=*' '--password-file=*'
          set -a login $words[$i]
      end
    end
    set -l host (string replace -r ':.*' : -- $word)
    ${PROGRAM} complete-path $argv $login -- (string unescape -- $word) 2>/dev/null | while read -l path
      echo "$host$path"
    end
    return
  end
  ${FISH_HOSTS}
end
# Behind HOST: there are no files of this machine.
complete -c ${PROGRAM} -n 'string match -q "*:*" -- (commandline -ct)' -f
${lines.join('\n')}
`;
}
