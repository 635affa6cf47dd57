import { computed, readonly, ref, shallowRef } from 'vue';
import { api, onSignedOut } from '../api/client';
import { Problem } from '../api/problem';
import type { User } from '../api/types';

// Who sits at this desk. The session itself is a cookie that scripts can't read.

const who = shallowRef<User | null>(null);
const known = ref(false);
const hasEnded = ref(false);
const visits = ref(0);
/** A new password ended the session, and the next one is on its way. */
let renewing = false;

export const user = readonly(who);
/** Whether we have been told yet if a session is there. */
export const sessionKnown = readonly(known);
/** The session ended by itself: the sign-in page says so. */
export const sessionEnded = readonly(hasEnded);
/** Counts the sessions of this page: what was begun with one that ended is begun anew. */
export const visit = readonly(visits);
export const userName = computed(() => who.value?.display_name || who.value?.name || who.value?.username || '');

/** Whether to offer it. The gateway decides; where it doesn't say what we may, everything is offered. */
export function may(permission: string): boolean {
  return who.value?.permissions?.includes(permission) ?? true;
}

function endHere(): void {
  if (who.value === null) return;
  who.value = null;
  hasEnded.value = true;
}
onSignedOut(() => {
  if (!renewing) endHere();
});

/** Asks whether the browser still has a session. Throws when the gateway can't be asked. */
export async function resumeSession(): Promise<void> {
  try {
    who.value = (await api.currentSession()).user;
  } catch (cause) {
    if (!(cause instanceof Problem) || (cause.status !== 401 && cause.status !== 403)) throw cause;
  }
  known.value = true;
}

export async function signIn(username: string, password: string): Promise<void> {
  const session = await api.signIn(username, password);
  // Another session ended on this page: begin anew, with nothing of it left in memory.
  if (hasEnded.value) window.location.reload();
  else who.value = session.user;
}

/**
 * Gives the person a new password. That ends all their sessions, this one too, so it signs in anew; should that
 * fail, the sign-in page is there. Throws when the password wasn't changed.
 */
export async function changePassword(current: string, next: string): Promise<void> {
  if (who.value === null) return;
  const { id, username } = who.value;
  let changed = false;
  renewing = true;
  try {
    await api.setPassword(id, current, next);
    changed = true;
    who.value = (await api.signIn(username, next)).user;
    visits.value += 1;
  } catch (cause) {
    if (changed || (cause instanceof Problem && cause.status === 401)) endHere();
    if (!changed) throw cause;
  } finally {
    renewing = false;
  }
}

/** Ends the session and begins with an empty page, so that nothing of it is left in memory. */
export async function signOut(): Promise<void> {
  try {
    await api.signOut();
  } finally {
    window.location.reload();
  }
}
