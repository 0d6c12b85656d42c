/* The contract of the three programs: help, version, exit codes, and how they tell that the command line is wrong. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { programs, runProgram, type ProgramName } from '../lib/programs.js';
import { run } from '../lib/run.js';
import { problemOf } from '../lib/said.js';

const { version, engines } = JSON.parse(
  readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
) as {
  version: string;
  engines: { node: string };
};
const OLDEST_NODE = engines.node.replace('>=', '');

for (const program of Object.keys(programs) as ProgramName[]) {
  t.test(`${program} --help tells options and exit codes`, async (t) => {
    const { code, stdout, stderr } = await runProgram(program, ['--help']);
    t.match({ code, stderr }, { code: 0, stderr: '' });
    t.match(stdout, new RegExp(`Usage: ${program} `));
    t.match(stdout, /Exit codes:\n +0 /);
  });

  t.test(`${program} --version`, async (t) => {
    t.match(await runProgram(program, ['--version']), { code: 0, stdout: `${version}\n`, stderr: '' });
  });

  t.test(`${program} on a node that is too old says so, and loads nothing more`, async (t) => {
    const old = `data:text/javascript,Object.defineProperty(process.versions, 'node', { value: '20.18.3' })`;
    t.match(await run(process.execPath, ['--import', old, programs[program], '--version']), {
      code: 1,
      stdout: '',
      stderr: `${program} needs Node ${OLDEST_NODE} or newer; this is Node 20.18.3\n`,
    });
  });

  t.test(`${program} with an option that is none`, async (t) => {
    const result = await runProgram(program, ['--colour']);
    t.equal(result.code, 2);
    t.match(problemOf(result, program), /--colour/);
  });
}

for (const [program, args, says] of [
  ['ftpmountd', ['--workers', 'many'], /workers.*whole number/],
  ['ftpmountd', ['--listen', 'here'], /HOST:PORT/],
  ['ftpmount', [], /HOST/],
  ['ftpmount', ['alice@localhost:'], /MOUNTPOINT/],
  ['ftpmount', ['alice@localhost:', '/mnt', '-o', 'colour'], /colour/],
  ['ftpctl', ['paint'], /paint/],
  ['ftpctl', ['put', 'file'], /./],
  ['ftpctl', ['useradd', 'alice', '--quota', 'much'], /much/],
  ['ftpctl', ['useradd', '../alice', '--quota', '1G'], /alice/],
] as const)
  t.test(`${program} ${args.join(' ')}`, async (t) => {
    const result = await runProgram(program, args);
    t.equal(result.code, 2, result.stdout);
    t.match(problemOf(result, program), says);
  });
