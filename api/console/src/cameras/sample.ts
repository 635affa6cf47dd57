import { locale } from '../i18n';

const HEADINGS = {
  'zh-CN': ['编码', '名称', '主码流', '子码流', '用户名', '密码', '经度', '纬度'],
  en: ['code', 'name', 'url', 'sub_url', 'username', 'password', 'lon', 'lat'],
};
const ROWS = {
  'zh-CN': [
    ['gate-01', '东门路口', 'rtsp://192.168.1.11:554/main', 'rtsp://192.168.1.11:554/sub', 'viewer', '', '114.3201', '29.8502'],
    ['gate-02', '西门路口', 'rtsp://192.168.1.12:554/main', '', 'viewer', '', '114.3102', '29.8497'],
  ],
  en: [
    ['gate-01', 'East gate', 'rtsp://192.168.1.11:554/main', 'rtsp://192.168.1.11:554/sub', 'viewer', '', '114.3201', '29.8502'],
    ['gate-02', 'West gate', 'rtsp://192.168.1.12:554/main', '', 'viewer', '', '114.3102', '29.8497'],
  ],
};

/** A file to fill in, with the headings of the language in use; the mark tells spreadsheets that it is UTF-8. */
export const SAMPLE = (): string =>
  `\uFEFF${[HEADINGS[locale.value], ...ROWS[locale.value]].map((row) => row.join(',')).join('\r\n')}\r\n`;
