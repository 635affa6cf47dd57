import { readonly, ref } from 'vue';

// Whether nobody has looked at this page for a while: its pictures are let go then, and the gateway need not send
// them. Before that a hidden page's videos stand still, but have what comes, and are back at once.

const AWAY_AFTER_MS = 60_000;

const isAway = ref(false);
export const away = readonly(isAway);

let timer: ReturnType<typeof setTimeout> | undefined;
document.addEventListener('visibilitychange', () => {
  clearTimeout(timer);
  if (document.visibilityState === 'visible') isAway.value = false;
  else timer = setTimeout(() => (isAway.value = true), AWAY_AFTER_MS);
});
