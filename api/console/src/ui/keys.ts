import { onBeforeUnmount, onMounted } from 'vue';

const inField = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.closest('.n-base-selection') !== null);

/** A shortcut while the component is there, but not while somebody types. */
export function onKey(key: string, fn: () => void): void {
  function listen(event: KeyboardEvent): void {
    if (event.key !== key || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (inField(event.target)) {
      // The first Escape leaves the field, the next one closes.
      if (key === 'Escape') (event.target as HTMLElement).blur();
      return;
    }
    // A dialog is in front: what is behind it stays as it is.
    if (key !== 'Escape' && document.querySelector('[aria-modal=true]') !== null) return;
    // Enter and the arrows keep their own meaning on a focused button elsewhere.
    if (key === 'Enter' && event.target instanceof HTMLButtonElement) return;
    event.preventDefault();
    fn();
  }
  onMounted(() => window.addEventListener('keydown', listen));
  onBeforeUnmount(() => window.removeEventListener('keydown', listen));
}
