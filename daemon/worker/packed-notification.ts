/*
 * The parameters of a notification as they travel.
 */
import type { LeaseItem, NotificationName } from '../../protocol/methods.js';
import { compact } from '../../protocol/references.js';
import { packShare, type Share } from '../../protocol/shares.js';

/** `params` of the notification, packed. */
export function packedNotification(name: NotificationName, params: readonly unknown[]): readonly unknown[] {
  switch (name) {
    case 'lease':
    case 'recall': {
      const [items] = params as [readonly LeaseItem[]];
      // Numbers pack faster than bigints.
      return [items.map(([unit, mode]) => [compact(unit), mode])];
    }
    case 'shares': {
      const [shares] = params as [readonly Share[]];
      return [shares.map(packShare)];
    }
    default:
      return params;
  }
}
