/*
 * The shells that are completed, and what the scripts for them have in common: that of ftpctl (completion.ts) and that of ftpmount,
 * which the package makes.
 */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;

export type Shell = (typeof SHELLS)[number];

/** Writes the names of known hosts and aliases, where $config is the client's directory. */
const HOSTS = String.raw`sed -n 's/^\([^#[:blank:]]*\):[0-9]*[[:blank:]].*/\1/p' "$config/known_hosts" 2>/dev/null
  sed -n 's/^\[hosts\.\([^]"]*\)].*/\1/p' "$config/config.toml" 2>/dev/null`;

/** Of bash and zsh: `_PROGRAM_hosts` writes these names. */
export function hostsFunction(program: string): string {
  return `_${program}_hosts() {
  local config=\${XDG_CONFIG_HOME:-$HOME/.config}/ftpmount
  ${HOSTS}
}`;
}

/** Of fish: writes each of them as a place, with the user that is typed before it. */
export const FISH_HOSTS = `set -l config ~/.config/ftpmount
  set -q XDG_CONFIG_HOME; and set config $XDG_CONFIG_HOME/ftpmount
  set -l user (string match -r '^[^@]*@' -- $word)
  begin
  ${HOSTS}
  end | while read -l host
    echo "$user$host:"
  end`;

/** A text as fish reads it. */
export function fishText(text: string): string {
  return `'${text.replaceAll(/[\\']/g, String.raw`\$&`)}'`;
}

/** What fish's `complete` takes for an option. */
export function fishOption(flags: readonly string[], text: string): string {
  const given = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  return `${given.join(' ')} -d ${fishText(text)}`;
}
