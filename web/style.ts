/* The style of the pages: one column on a phone, where rows of tables become cards; dark where the system is. */

export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #f4f5f7; --card: #fff; --text: #1c2430; --soft: #5a6575; --line: #d9dee5;
  --accent: #1f5fbf; --on-accent: #fff; --bad: #b3261e; --good: #1b6e3c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161c; --card: #1b212a; --text: #e6eaf0; --soft: #9aa6b6; --line: #313a47;
    --accent: #7fb0ff; --on-accent: #0c1420; --bad: #ff9b92; --good: #7fd6a0;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
a { color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: .5rem; background: var(--card); padding: .5rem; }
header { background: var(--card); border-bottom: 1px solid var(--line); }
header > div, main { max-width: 72rem; margin: 0 auto; padding: .75rem 1rem; }
header > div { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; align-items: center; }
header strong { font-size: 1.1rem; }
nav { display: flex; flex-wrap: wrap; gap: .25rem; flex: 1; }
nav a { padding: .4rem .6rem; border-radius: 6px; text-decoration: none; }
nav a[aria-current] { background: var(--page); color: var(--text); font-weight: 600; }
h1 { font-size: 1.4rem; margin: .75rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 0 0 .5rem; }
p { margin: .5rem 0; }
section > :last-child, .narrow > section h1 { margin-bottom: 0; }
.narrow > section h1 { margin-top: 0; }
section, details, .card {
  background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem; margin: 0 0 1rem;
}
.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); margin-bottom: 1rem; }
.cards .card { margin: 0; }
.cards h2 { color: var(--soft); font-size: .85rem; font-weight: 600; margin: 0; }
.cards p { margin: 0; color: var(--soft); font-size: .85rem; }
.cards p.figure { color: var(--text); font-size: 1.5rem; font-weight: 600; line-height: 1.3; }
.columns { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
.columns > * { margin: 0; }
.columns { margin-bottom: 1rem; }
.soft { color: var(--soft); font-size: .9rem; }
.bad, .cards p.bad { color: var(--bad); }
meter { width: 100%; height: 1rem; display: block; }
table { width: 100%; border-collapse: collapse; }
th { text-align: left; color: var(--soft); font-size: .85rem; }
th, td { padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
tbody tr:last-child td { border-bottom: 0; }
time { white-space: nowrap; font-variant-numeric: tabular-nums; }
code { font-size: .85rem; overflow-wrap: anywhere; }
form { margin: 0; }
form.fields { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 13rem), 1fr)); align-items: end; }
label { display: block; font-size: .85rem; color: var(--soft); }
label.box { color: var(--text); font-size: 1rem; }
input:not([type=checkbox]), select {
  width: 100%; padding: .5rem; font: inherit; color: var(--text); background: var(--page);
  border: 1px solid var(--soft); border-radius: 6px; margin-top: .15rem;
}
button {
  font: inherit; padding: .5rem 1rem; min-height: 2.6rem; border-radius: 6px; cursor: pointer;
  border: 1px solid var(--accent); background: var(--accent); color: var(--on-accent);
}
form.fields button { justify-self: start; }
button.plain { background: transparent; color: var(--accent); }
button.danger { background: transparent; color: var(--bad); border-color: var(--bad); }
.row { display: flex; flex-wrap: wrap; gap: .75rem; align-items: center; }
summary { cursor: pointer; font-weight: 600; }
details[open] summary { margin-bottom: .75rem; }
.notice { border-left: 5px solid var(--good); }
.notice.failed { border-left-color: var(--bad); }
svg { width: 100%; height: 7rem; display: block; }
svg polyline { fill: none; stroke: var(--accent); stroke-width: 2; vector-effect: non-scaling-stroke; }
svg polyline.second { stroke: var(--soft); stroke-dasharray: 5 3; }
svg line { stroke: var(--line); vector-effect: non-scaling-stroke; }
.narrow { max-width: 24rem; margin: 12vh auto; }
@media (max-width: 40rem) {
  nav { order: 1; flex-basis: 100%; }
  header form { margin-left: auto; }
  thead { position: absolute; left: -99rem; }
  tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  tbody tr:last-child { border-bottom: 0; }
  td { display: grid; grid-template-columns: 6rem 1fr; gap: .5rem; border: 0; padding: .15rem 0; }
  td::before { content: attr(data-label); color: var(--soft); font-size: .85rem; }
  .cards { grid-template-columns: 1fr 1fr; gap: .5rem; }
  .cards .card { padding: .75rem; }
  .cards p.figure { font-size: 1.2rem; }
}
`;
