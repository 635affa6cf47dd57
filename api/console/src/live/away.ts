import { readonly, ref } from 'vue';

// Whether nobody has looked at this page for a while: its pictures are let go then, and the gateway need not send
// them. A short look elsewhere costs nothing, as a hidden page's videos stand still anyway.

const AWAY_AFTER_MS = 5_000;

const isAway = ref(false);
export const away = readonly(isAway);

let timer: ReturnType<typeof setTimeout> | undefined;
document.addEventListener('visibilitychange', () => {
  clearTimeout(timer);
  if (document.visibilityState === 'visible') isAway.value = false;
  else timer = setTimeout(() => (isAway.value = true), AWAY_AFTER_MS);
});
