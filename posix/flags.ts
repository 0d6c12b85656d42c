/*
 * The constants of the Linux system calls, by their kernel names (include/uapi/asm-generic/fcntl.h,
 * linux/fcntl.h, linux/openat2.h, linux/stat.h, linux/fs.h, linux/mount.h). They are the same on x86-64 and
 * arm64 but for two O_ flags, which arm64 numbers its own way (arch/arm64/include/uapi/asm/fcntl.h).
 */
import type { Fd } from './fd.js';

const arm64 = process.arch === 'arm64';

// open(2)
export const O_RDONLY = 0o0;
export const O_WRONLY = 0o1;
export const O_RDWR = 0o2;
export const O_ACCMODE = 0o3;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_NOCTTY = 0o400;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_NONBLOCK = 0o4000;
export const O_DIRECTORY = arm64 ? 0o40000 : 0o200000;
export const O_NOFOLLOW = arm64 ? 0o100000 : 0o400000;
export const O_NOATIME = 0o1000000;
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;
export const O_TMPFILE = 0o20000000 | O_DIRECTORY;

// openat2(2): resolve
export const RESOLVE_NO_XDEV = 0x01;
export const RESOLVE_NO_MAGICLINKS = 0x02;
export const RESOLVE_NO_SYMLINKS = 0x04;
export const RESOLVE_BENEATH = 0x08;

// The *at calls
/** The working directory, where a call takes a directory's descriptor. */
export const AT_FDCWD = -100 as Fd;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
export const AT_SYMLINK_FOLLOW = 0x400;
export const AT_EMPTY_PATH = 0x1000;

// renameat2(2)
export const RENAME_NOREPLACE = 1;
export const RENAME_EXCHANGE = 2;
export const RENAME_WHITEOUT = 4;

// st_mode
export const S_IFMT = 0o170000;
/** Of a mode, what chmod(2) sets. */
export const PERMISSIONS = 0o7777;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFBLK = 0o060000;
export const S_IFIFO = 0o010000;
export const S_ISUID = 0o4000;
export const S_ISGID = 0o2000;

// d_type of getdents64(2): S_IFMT shifted right by 12
export const DT_DIR = 4;
export const DT_REG = 8;
export const DT_LNK = 10;

// statx(2)
export const STATX_BASIC_STATS = 0x7ff;
export const STATX_BTIME = 0x800;

// preadv2(2)
export const RWF_NOWAIT = 0x08;

// utimensat(2): tv_nsec
export const UTIME_NOW = 0x3fffffff;
export const UTIME_OMIT = 0x3ffffffe;

// lseek(2)
export const SEEK_SET = 0;
export const SEEK_END = 2;
export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;

// fallocate(2)
export const FALLOC_FL_KEEP_SIZE = 0x01;
export const FALLOC_FL_PUNCH_HOLE = 0x02;
export const FALLOC_FL_ZERO_RANGE = 0x10;

// flock(2)
export const LOCK_EX = 2;
export const LOCK_NB = 4;
export const LOCK_UN = 8;

// mount(2), umount2(2)
export const MS_RDONLY = 1;
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MS_NOEXEC = 8;
export const MS_REMOUNT = 32;
export const MS_NOATIME = 1024;
export const MNT_DETACH = 2;
export const UMOUNT_NOFOLLOW = 8;
