/**
 * Becomes an ordinary user for good, in processes that root starts. Done after the program is loaded, because that
 * user need not be able to read where it lies.
 */
export const NOBODY = 65534;

export function dropPrivileges(uid: number): void {
  if (process.geteuid?.() !== 0 || uid === 0) return;
  process.setgroups?.([]);
  process.setgid?.(uid);
  process.setuid?.(uid);
}
