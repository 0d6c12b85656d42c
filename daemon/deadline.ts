/* Waiting for what may take for ever. */

/** What `work` comes to; undefined where that takes longer than `ms`. Rejects as it does. */
export async function withDeadline<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  return Promise.race([work, deadline]).finally(() => clearTimeout(timer));
}
