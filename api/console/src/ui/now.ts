import { readonly, ref } from 'vue';

// The page's one clock. Ticks on whole seconds, and not while nobody looks.
const tick = ref(Date.now());
export const now = readonly(tick);

let timer: ReturnType<typeof setTimeout> | undefined;
function beat(): void {
  clearTimeout(timer);
  tick.value = Date.now();
  if (document.visibilityState === 'visible') timer = setTimeout(beat, 1000 - (Date.now() % 1000));
}
document.addEventListener('visibilitychange', beat);
beat();
