/*
 * The commands of ftpctl that administer groups and shares, for the table in ctl/main.ts, as commands.ts has those for users.
 */
import type { Command } from 'commander';
import { parseCount, parseSize } from '../../state/sizes.js';
import { withStateOption } from './state-option.js';

const SIZES_HELP = `
Sizes take K, M, G and T, powers of 1024: 5G, 0.5T; 0 is no limit.`;

const MEMBERS_HELP = `
A share is a folder with a quota of its own. Who is in one of its groups has it as Shared/NAME in the home.`;

/** Adds them to `program`. */
export function shareCommands(program: Command, end: (exitCode: number) => void): void {
  withStateOption(program.command('groupadd').argument('<group>').argument('[user...]', 'who is in it'))
    .description('make a group of users')
    .action(async (group, users, options) => {
      const { groupadd } = await import('./groups.js');
      end(await groupadd(group, users, options));
    });
  withStateOption(program.command('groupmod').argument('<group>'))
    .description('say who is in a group')
    .option('--add <user...>', 'put users into it')
    .option('--remove <user...>', 'take users out of it; what they had by it alone ends')
    .action(async (group, options) => {
      const { groupmod } = await import('./groups.js');
      end(await groupmod(group, options));
    });
  withStateOption(program.command('groupdel').argument('<group>'))
    .description('remove a group, and what it is granted')
    .action(async (group, options) => {
      const { groupdel } = await import('./groups.js');
      end(await groupdel(group, options));
    });
  withStateOption(program.command('groups'))
    .description('list groups with their shares and users')
    .option('--json', 'one JSON object a line')
    .action(async (options) => {
      const { listGroups } = await import('./groups.js');
      end(await listGroups(options));
    });
  withStateOption(program.command('shareadd').argument('<share>'))
    .description('make a folder that the users of a group share')
    .option('--group <group>', 'whose it is; more of them by sharemod')
    .option('--ro', 'they may read')
    .option('--rw', 'they may read and write')
    .option('--quota <size>', 'limit of bytes; 0 is none (default: ftpmountd --default-quota)', parseSize)
    .option(
      '--max-files <n>',
      'limit of files; 0 is none (default: ftpmountd --default-max-files)',
      parseCount,
    )
    .option('--adopt', 'hand over the files of that name that are there already')
    .addHelpText('after', `${MEMBERS_HELP}\n${SIZES_HELP}`)
    .action(async (share, options) => {
      const { shareadd } = await import('./shareadd.js');
      end(await shareadd(share, options));
    });
  withStateOption(program.command('sharemod').argument('<share>'))
    .description('change the limits of a share, or what a group may do there')
    .option('--group <group>', 'the group whose rights change')
    .option('--ro', 'it may read')
    .option('--rw', 'it may read and write')
    .option('--none', 'it has no part in the share any more')
    .option('--quota <size>', 'limit of bytes; 0 is none', parseSize)
    .option('--max-files <n>', 'limit of files; 0 is none', parseCount)
    .addHelpText('after', SIZES_HELP)
    .action(async (share, options) => {
      const { sharemod } = await import('./shareadd.js');
      end(await sharemod(share, options));
    });
  withStateOption(program.command('sharedel').argument('<share>'))
    .description('remove a share')
    .option('--remove', 'with all that is in it')
    .option('--home <dir>', 'directory of the homes, where no daemon ran yet')
    .action(async (share, options) => {
      const { sharedel } = await import('./sharedel.js');
      end(await sharedel(share, options));
    });
  withStateOption(program.command('shares'))
    .description('list shares with limits, use and groups')
    .option('--json', 'one JSON object a line')
    .action(async (options) => {
      const { listShares } = await import('./shares.js');
      end(await listShares(options));
    });
}
