import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vite';

// Where `npm run dev` finds a running gateway.
const gateway = process.env.SHARPEYES_URL ?? 'http://127.0.0.1:8080';
const forward = { target: gateway, changeOrigin: true, headers: { origin: gateway } };

export default defineConfig({
  plugins: [vue()],
  build: {
    target: 'es2022',
    // Everything is a file of its own under /assets: the gateway's content policy allows nothing inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
    reportCompressedSize: false,
    rollupOptions: {
      output: {
        manualChunks: (id) => (id.includes('node_modules') ? 'vendor' : undefined),
      },
    },
  },
  server: {
    proxy: { '/api': forward, '/live': forward },
  },
});
