import type { GlobalThemeOverrides } from 'naive-ui';

const font =
  'Inter, "SF Pro Text", "Segoe UI", "Noto Sans", "Noto Sans SC", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", system-ui, sans-serif';

/** base.css's palette, for Naive UI's parts. */
export const theme: GlobalThemeOverrides = {
  common: {
    fontFamily: font,
    fontSize: '13px',
    fontSizeMedium: '13px',
    borderRadius: '6px',
    primaryColor: '#6cbcf5',
    primaryColorHover: '#8acbf8',
    primaryColorPressed: '#4ea4e0',
    primaryColorSuppl: '#6cbcf5',
    successColor: '#3ecf8e',
    warningColor: '#f0b03f',
    errorColor: '#f0654e',
    infoColor: '#6cbcf5',
    bodyColor: '#080c11',
    cardColor: '#0e141b',
    modalColor: '#141c25',
    popoverColor: '#1b2530',
    inputColor: '#0a1016',
    borderColor: '#2a3744',
    dividerColor: '#1c2631',
    textColorBase: '#e3eaf1',
    textColor1: '#e3eaf1',
    textColor2: '#c7d3de',
    textColor3: '#6d7f90',
    placeholderColor: '#5d6e7e',
  },
  Input: { border: '1px solid #263340', borderHover: '1px solid #3d5163', color: '#0a1016', colorFocus: '#0c141c' },
  InternalSelection: { border: '1px solid #263340', borderHover: '1px solid #3d5163' },
  Button: {
    textColorPrimary: '#06121c',
    textColorHoverPrimary: '#06121c',
    textColorPressedPrimary: '#06121c',
    textColorFocusPrimary: '#06121c',
    textColorDisabledPrimary: '#06121c',
    fontWeight: '500',
  },
};
