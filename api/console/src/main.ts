import { createApp } from 'vue';
import App from './App.vue';
import './ui/base.css';

createApp(App).mount('#app');
