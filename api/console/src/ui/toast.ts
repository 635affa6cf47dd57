import { createDiscreteApi, darkTheme } from 'naive-ui';
import { theme } from './theme';

const { message } = createDiscreteApi(['message'], {
  configProviderProps: { theme: darkTheme, themeOverrides: theme },
  messageProviderProps: { max: 3, placement: 'bottom' },
});

export const toast = {
  done: (text: string) => message.success(text, { duration: 3000 }),
  failed: (text: string) => message.error(text, { duration: 6000, closable: true }),
};
