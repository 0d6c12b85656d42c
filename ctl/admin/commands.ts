/*
 * The commands of ftpctl that administer the server, for the table in ctl/main.ts: what each does is in the file of its name, which
 * is loaded when it is called for.
 */
import { Argument, type Command } from 'commander';
import { SCOPES } from '../../state/api-tokens.js';
import { parseBandwidth } from '../../state/bandwidth.js';
import { parseCount, parseSize } from '../../state/sizes.js';
import { parseSpan } from '../../state/times.js';
import { parseTrashTime } from '../../state/trash-time.js';
import type { Format } from './import.js';
import { withStateOption } from './state-option.js';

const FORMATS: readonly Format[] = ['ftpmount', 'passwd', 'sftpgo'];

const SIZES_HELP = `
Sizes take K, M, G and T, powers of 1024: 5G, 0.5T; 0 is no limit.`;

const BATCH_HELP = `
A file is CSV with a head, or JSON: one object a line, or an array. Fields are name, quota, maxFiles, soft, grace,
bandwidth, trash, expires, disabled, posixOwners, keys (in CSV separated by ;), password or passwordHash; of what is missing the
options count:
  name,quota,expires,password
  alice,5G,2027-01-31,wide open spaces`;

const SOFT_OPTION = ['--soft <size>', 'bytes that may be passed for a time of grace; 0 is none'] as const;
const GRACE_OPTION = ['--grace <span>', 'that time: 12h, 7d (default: 7d)'] as const;
const BANDWIDTH_OPTION = ['--bandwidth <size>', 'bytes a second that come and go; 0 is no limit'] as const;
const TRASH_OPTION = [
  '--trash <span>',
  'keep what is removed for so long, 30d, for its user to restore; off keeps nothing',
] as const;
const EXPIRES_OPTION = [
  '--expires <time>',
  'refuse logins from then on: 2027-01-31 (its beginning), 2027-01-31T18:00, 90d from now, or never',
] as const;

/** Adds them to `program`. */
export function administrationCommands(program: Command, end: (exitCode: number) => void): void {
  const name = '<name>';
  passwordOptions(withStateOption(program.command('useradd').argument('[name]')))
    .usage('[options] NAME | --batch FILE [options]')
    .description('make a user, or all of a file')
    .option('--batch <file>', 'make the users in a file, all or none; - is standard input')
    .option('--quota <size>', 'limit of bytes; 0 is none (default: ftpmountd --default-quota)', parseSize)
    .option(
      '--max-files <n>',
      'limit of files; 0 is none (default: ftpmountd --default-max-files)',
      parseCount,
    )
    .option(...SOFT_OPTION, parseSize)
    .option(...GRACE_OPTION, parseSpan)
    .option(...BANDWIDTH_OPTION, parseBandwidth)
    .option(...TRASH_OPTION, parseTrashTime)
    .option(...EXPIRES_OPTION)
    .option('--posix-owners', 'keep owner, group, full mode and devices of files')
    .option('--adopt', 'hand over the home of that name that is there already')
    .addHelpText('after', `${SIZES_HELP}\n${BATCH_HELP}`)
    .action(async (user, options) => {
      const { useradd } = await import('./useradd.js');
      end(await useradd(user, options));
    });
  withStateOption(program.command('usermod').argument(name))
    .description('change limits, or whether the user may log in')
    .option('--quota <size>', 'limit of bytes; 0 is none', parseSize)
    .option('--max-files <n>', 'limit of files; 0 is none', parseCount)
    .option(...SOFT_OPTION, parseSize)
    .option(...GRACE_OPTION, parseSpan)
    .option(...BANDWIDTH_OPTION, parseBandwidth)
    .option(...TRASH_OPTION, parseTrashTime)
    .option(...EXPIRES_OPTION)
    .option('--disable', 'refuse logins, close sessions')
    .option('--enable', 'allow logins again')
    .option('--posix-owners', 'keep owner, group, full mode and devices of files')
    .option('--no-posix-owners', "all files are the user's")
    .addHelpText('after', SIZES_HELP)
    .action(async (user, options) => {
      const { usermod } = await import('./usermod.js');
      end(await usermod(user, options));
    });
  withStateOption(program.command('userdel').argument(name))
    .description('remove a user')
    .option('--remove', 'with the home and all that is in it')
    .option('--home <dir>', 'directory of the homes, where no daemon ran yet')
    .action(async (user, options) => {
      const { userdel } = await import('./userdel.js');
      end(await userdel(user, options));
    });
  passwordOptions(withStateOption(program.command('passwd').argument(name)))
    .description('change the password')
    .option('--close-sessions', 'close the sessions that are open')
    .action(async (user, options) => {
      const { passwd } = await import('./passwd.js');
      end(await passwd(user, options));
    });
  withStateOption(program.command('web-password'))
    .description('set the password of the web page (ftpmountd --web-listen)')
    .option(
      '--password-file <file>',
      'read the password from the first line of a file, or of - (standard input)',
    )
    .option('--no-password', 'nobody can sign in')
    .action(async (options) => {
      const { webPassword } = await import('./web-password.js');
      end(await webPassword(options));
    });
  const token = program.command('token').description('tokens that open the API (ftpmountd --web-listen)');
  withStateOption(token.command('add').argument('<token>', 'a name for it'))
    .description('make a token and print it, this once')
    .requiredOption('--scope <scope...>', `what it is good for: ${SCOPES.join(', ')}`)
    .option('--expires <time>', 'when it ends: 2027-01-31, 90d from now, or never', 'never')
    .action(async (called, options) => {
      const { addToken } = await import('./tokens.js');
      end(await addToken(called, options));
    });
  withStateOption(token.command('list'))
    .description('list tokens')
    .option('--json', 'one JSON object a line')
    .action(async (options) => {
      const { listTokens } = await import('./tokens.js');
      end(await listTokens(options));
    });
  withStateOption(token.command('remove').argument('<token>', 'its name'))
    .description('end a token')
    .action(async (called, options) => {
      const { removeToken } = await import('./tokens.js');
      end(await removeToken(called, options));
    });
  withStateOption(program.command('users'))
    .description('list users with limits, use and last login')
    .option('--json', 'one JSON object a line')
    .action(async (options) => {
      const { users } = await import('./users.js');
      end(await users(options));
    });

  withStateOption(
    program
      .command('import')
      .addArgument(
        new Argument(
          '<format>',
          'what ftpctl export wrote, people of /etc/passwd, or a dump of SFTPGo',
        ).choices(FORMATS),
      )
      .argument('<file>', 'the file, or -'),
  )
    .description(
      'make users, groups and shares of another server, or the users of another program, all or none',
    )
    .option('--quota <size>', 'limit of bytes of who has none there; 0 is none', parseSize)
    .option('--adopt', 'hand over homes of these names that are there already')
    .action(async (format, file, options) => {
      const { importUsers } = await import('./import.js');
      end(await importUsers(format, file, options));
    });
  withStateOption(program.command('export'))
    .description('print users, groups and shares as import ftpmount reads them')
    .option('--password-hashes', 'with the hashes of their passwords: keep them secret')
    .action(async (options) => {
      const { exportAll } = await import('./export.js');
      end(await exportAll(options));
    });

  const key = program.command('key').description('keys that log a user in without a password');
  withStateOption(key.command('add').argument(name).argument('<key>', 'the key, a file that holds it, or -'))
    .description('add a public key, as ftpctl keygen prints it')
    .action(async (user, text, options) => {
      const { keyAdd } = await import('./key.js');
      end(await keyAdd(user, text, options));
    });
  withStateOption(key.command('list').argument(name))
    .description('list keys')
    .action(async (user, options) => {
      const { keyList } = await import('./key.js');
      end(await keyList(user, options));
    });
  withStateOption(key.command('remove').argument(name).argument('<key>', 'its fingerprint or comment'))
    .description('remove a key')
    .action(async (user, text, options) => {
      const { keyRemove } = await import('./key.js');
      end(await keyRemove(user, text, options));
    });

  const quota = program.command('quota').description('what is charged to users and shares');
  withStateOption(quota.command('check').argument('[name]', 'a user, or + and the name of a share'))
    .description('have the daemon compare it with what the homes hold')
    .option('--repair', 'charge what they hold')
    .option('--json', 'one JSON object a line')
    .action(async (user, options) => {
      const { quotaCheck } = await import('./quota.js');
      end(await quotaCheck(user, options));
    });
  withStateOption(program.command('adopt').argument('<dir>', 'the directory of the homes'))
    .description('say where the homes are, after they were moved or restored')
    .action(async (directory, options) => {
      const { adopt } = await import('./adopt.js');
      end(await adopt(directory, options));
    });
  withStateOption(program.command('backup').argument('<dir>', 'a directory, which is made'))
    .description('copy accounts, key and homes, while the daemon serves')
    .option('--no-homes', 'only accounts and key: the homes are backed up otherwise, after this')
    .action(async (directory, options) => {
      const { backup } = await import('./backup.js');
      end(await backup(directory, options));
    });
  withStateOption(program.command('unlock').argument('<user|address>', 'who is locked out'))
    .description('forget the failed logins of a user, or from an address')
    .action(async (userOrAddress, options) => {
      const { unlock } = await import('./unlock.js');
      end(await unlock(userOrAddress, options));
    });
  withStateOption(program.command('ban').argument('<address|network>', 'such as 192.0.2.7 or 2001:db8::/32'))
    .description('refuse connections from there, close sessions')
    .option('--for <time>', 'end by itself, after 30m, 12h, 7d or 2w', parseSpan)
    .action(async (network, options) => {
      const { ban } = await import('./bans.js');
      end(await ban(network, options));
    });
  withStateOption(program.command('unban').argument('<address|network>', 'as ftpctl bans lists it'))
    .description('end a ban')
    .action(async (network, options) => {
      const { unban } = await import('./bans.js');
      end(await unban(network, options));
    });
  withStateOption(program.command('bans'))
    .description('list bans')
    .option('--json', 'one JSON object a line')
    .action(async (options) => {
      const { listBans } = await import('./bans.js');
      end(await listBans(options));
    });
  withStateOption(program.command('top'))
    .description('show sessions, rates, calls, queue and workers, again and again; q ends')
    .option('--once', 'once, as where there is no terminal')
    .option('--json', 'once, as JSON')
    .action(async (options) => {
      const { top } = await import('./top.js');
      end(await top(options));
    });
  withStateOption(program.command('status'))
    .description('show what the running daemon does')
    .option('--json', 'as JSON')
    .action(async (options) => {
      const { status } = await import('./status.js');
      end(await status(options));
    });
}

function passwordOptions(command: Command): Command {
  return command
    .option('--password-file <file>', 'read the password from the first line of a file; - is standard input')
    .option('--no-password', 'login by key only');
}
