import { readonly, ref } from 'vue';

// One layout for desks, one (tabs) for phones and narrow windows.
const query = window.matchMedia('(max-width: 1099px)');
const matches = ref(query.matches);
query.addEventListener('change', (event) => (matches.value = event.matches));
export const narrow = readonly(matches);
