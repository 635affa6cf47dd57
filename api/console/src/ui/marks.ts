import type { Light, Severity, TileState } from '../api/types';

// A state is told by its shape as much as by its colour. Outlines on a 16 px grid;
// the map draws the same shapes on its canvas.

export type Shape = 'disc' | 'half' | 'cross' | 'ring' | 'dash' | 'lock' | 'dots';

export const stateShape: Record<TileState, Shape> = {
  live: 'disc',
  stalled: 'half',
  offline: 'cross',
  connecting: 'dots',
  idle: 'ring',
  disabled: 'dash',
  denied: 'lock',
  unsupported: 'lock',
};

/** Hex values of base.css's colours, for canvases. */
export const stateColour: Record<TileState, string> = {
  live: '#3ecf8e',
  stalled: '#f0b03f',
  offline: '#f0654e',
  connecting: '#6cbcf5',
  idle: '#7d8fa1',
  disabled: '#52606e',
  denied: '#7d8fa1',
  unsupported: '#7d8fa1',
};

export const severityRank: Record<Severity, number> = { critical: 3, major: 2, minor: 1, info: 0 };
export const severities: Severity[] = ['critical', 'major', 'minor', 'info'];
export const lights: Light[] = ['green', 'yellow', 'red'];
