// Times as people here read them. The wire is UTC; displays are the county's time.

import { computed } from 'vue';
import { locale } from '.';

const timeZone = 'Asia/Shanghai';
const make = (options: Intl.DateTimeFormatOptions) =>
  computed(() => new Intl.DateTimeFormat(locale.value, { timeZone, hourCycle: 'h23', ...options }));

const clock = make({ hour: '2-digit', minute: '2-digit', second: '2-digit' });
const date = make({ month: 'long', day: 'numeric', weekday: 'short' });
const time = make({ hour: '2-digit', minute: '2-digit' });
const dateTime = make({ month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit' });
const full = make({ month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' });
const dayKey = new Intl.DateTimeFormat('en-CA', { timeZone });

export const formatClock = (at: number): string => clock.value.format(at);
export const formatDate = (at: number): string => date.value.format(at);
export const formatFull = (iso: string): string => full.value.format(Date.parse(iso));

/** The time alone today, with its date before. */
export function formatSince(iso: string): string {
  const at = Date.parse(iso);
  if (Number.isNaN(at)) return iso;
  return (dayKey.format(at) === dayKey.format(Date.now()) ? time : dateTime).value.format(at);
}

const units = computed(() => {
  const make = (unit: string) =>
    new Intl.NumberFormat(locale.value, { style: 'unit', unit, unitDisplay: locale.value === 'en' ? 'short' : 'narrow' });
  return { second: make('second'), minute: make('minute'), hour: make('hour'), day: make('day') };
});

/** A span in its largest unit: "40 sec", "12 min", "3 hr", "2 days". */
export function formatSpan(ms: number): string {
  const seconds = Math.max(0, Math.floor(Math.abs(ms) / 1000));
  if (seconds < 60) return units.value.second.format(seconds);
  if (seconds < 3600) return units.value.minute.format(Math.floor(seconds / 60));
  if (seconds < 48 * 3600) return units.value.hour.format(Math.floor(seconds / 3600));
  return units.value.day.format(Math.floor(seconds / 86400));
}
