/*
 * What completes ftpmount in bash, zsh and fish: its options and mount options, by what its --help says, the hosts that this client
 * knows, and directories. At Tab nothing is run but sed.
 */
import { fishOption, FISH_HOSTS, fishText, hostsFunction, type Shell } from '../ctl/completed-shells.js';
import { blocksFrom, type Block, type Help } from './help-text.js';

interface Completed {
  readonly options: readonly { readonly flags: readonly string[]; readonly text: string }[];
  /** Of -o; with `=` behind those that have a value. */
  readonly mountOptions: readonly { readonly name: string; readonly text: string }[];
}

const COMMANDS = ['list', 'status'];
/** Options whose value is a file of this machine. */
const OF_FILES = '--password-file | --log';

/** `help`: of ftpmount. */
export function mountCompletion(shell: Shell, help: Help): string {
  const completed = {
    options: entriesOf(help, 'Options').map(({ term, text }) => ({
      flags: term.split(/[ ,]+/).filter((word) => word.startsWith('-')),
      text,
    })),
    mountOptions: entriesOf(help, 'Mount options').flatMap(({ term, text }) =>
      term.split(' ').map((word) => ({ name: word.replace(/=.*/, '='), text })),
    ),
  };
  return { bash, zsh, fish }[shell](completed);
}

/** What a titled list of a help has. */
function entriesOf(help: Help, title: string): Extract<Block, { kind: 'entry' }>[] {
  const [, ...list] = blocksFrom(help, title);
  const end = list.findIndex(({ kind }) => kind === 'title');
  return list.slice(0, end < 0 ? undefined : end).filter((block) => block.kind === 'entry');
}

function words({ options, mountOptions }: Completed): { readonly flags: string; readonly names: string } {
  return {
    flags: options.flatMap(({ flags }) => flags).join(' '),
    names: mountOptions.map(({ name }) => name).join(' '),
  };
}

function bash(completed: Completed): string {
  const { flags, names } = words(completed);
  return `# ftpmount
${hostsFunction('ftpmount')}
_ftpmount() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  case $before in
    -o | --option)
      # Behind a comma is another one.
      local given=
      [[ $word == *,* ]] && given=\${word%,*},
      compopt +o plusdirs -o nospace
      COMPREPLY=($(compgen -P "$given" -W '${names}' -- "\${word##*,}"))
      return
      ;;
    ${OF_FILES}) compopt -o default; return ;;
  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W '${flags}' -- "$word"))
    return
  fi
  ((COMP_CWORD == 1)) && COMPREPLY=($(compgen -W '${COMMANDS.join(' ')}' -- "$word"))
  # Where the line is divided at '@' that is a word of its own.
  [[ $word == @ ]] && word=
  local known=($(compgen -S : -W "$(_ftpmount_hosts)" -- "$word"))
  ((\${#known[@]} > 0)) && compopt -o nospace
  COMPREPLY+=("\${known[@]}")
}
complete -o plusdirs -F _ftpmount ftpmount
`;
}

function zsh(completed: Completed): string {
  const { flags, names } = words(completed);
  return `#compdef ftpmount
${hostsFunction('ftpmount')}
_ftpmount() {
  case \${words[CURRENT-1]} in
    -o | --option)
      compset -P '*,'
      compadd -S '' -- ${names}
      return
      ;;
    ${OF_FILES}) _files; return ;;
  esac
  if [[ $PREFIX == -* ]]; then
    compadd -- ${flags}
    return
  fi
  ((CURRENT == 2)) && compadd -- ${COMMANDS.join(' ')}
  _files -/
  compset -P '*@'
  compadd -S : -- \${(f)"$(_ftpmount_hosts)"}
}
# The file is the body of the function, which is to complete already when it is loaded.
_ftpmount "$@"
`;
}

function fish({ options, mountOptions }: Completed): string {
  const lines = options.map(({ flags, text }) => {
    const value = flags.includes('--option')
      ? ` -x -a '(__fish_complete_list , __ftpmount_options)'`
      : OF_FILES.split(' | ').some((flag) => flags.includes(flag))
        ? ' -r -F'
        : '';
    return `complete -c ftpmount ${fishOption(flags, text)}${value}`;
  });
  return `# ftpmount
function __ftpmount_options
${mountOptions.map(({ name, text }) => `  echo ${fishText(`${name}\t${text}`)}`).join('\n')}
end
function __ftpmount_places
  set -l word (commandline -ct)
  ${FISH_HOSTS}
end
complete -c ftpmount -f -a '(__ftpmount_places)'
complete -c ftpmount -f -a '(__fish_complete_directories)'
complete -c ftpmount -n 'test (count (commandline -opc)) -eq 1' -f -a '${COMMANDS.join(' ')}'
${lines.join('\n')}
`;
}
