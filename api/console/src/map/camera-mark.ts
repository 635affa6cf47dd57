// Cameras on Leaflet's one canvas: a circle marker that draws its state's shape.
// Leaflet's canvas renderer calls _updatePath of each layer while it redraws; the
// hit test stays the circle's.

import L from 'leaflet';
import type { CameraState } from '../api/types';
import { stateColour, stateShape, type Shape } from '../ui/marks';

interface CanvasRenderer extends L.Canvas {
  _ctx: CanvasRenderingContext2D;
  _drawing: boolean;
}
interface Drawn {
  _renderer: CanvasRenderer;
  _point: L.Point;
  _empty(): boolean;
}

function trace(ctx: CanvasRenderingContext2D, shape: Shape, x: number, y: number, r: number): void {
  ctx.beginPath();
  if (shape === 'cross') {
    ctx.moveTo(x - r, y - r);
    ctx.lineTo(x + r, y + r);
    ctx.moveTo(x + r, y - r);
    ctx.lineTo(x - r, y + r);
  } else if (shape === 'dash') {
    ctx.moveTo(x - r, y);
    ctx.lineTo(x + r, y);
  } else ctx.arc(x, y, r, 0, Math.PI * 2);
}

export class CameraMark extends L.CircleMarker {
  state: CameraState;
  picked = false;

  constructor(at: L.LatLngExpression, state: CameraState) {
    super(at, { radius: 10, bubblingMouseEvents: false });
    this.state = state;
  }

  show(state: CameraState, picked: boolean): void {
    if (state === this.state && picked === this.picked) return;
    this.state = state;
    this.picked = picked;
    this.redraw();
  }

  /** Leaflet's hook. */
  _updatePath(): void {
    const { _renderer: renderer, _point: point } = this as unknown as Drawn;
    if (!renderer._drawing || (this as unknown as Drawn)._empty()) return;
    const ctx = renderer._ctx;
    const { x, y } = point;
    const colour = stateColour[this.state];
    const shape = stateShape[this.state];
    ctx.save();
    ctx.lineCap = 'round';
    // A dark plate under the mark, so that it reads on any grid.
    ctx.beginPath();
    ctx.arc(x, y, this.picked ? 12 : 9, 0, Math.PI * 2);
    ctx.fillStyle = 'rgb(8 12 17 / 88%)';
    ctx.fill();
    ctx.lineWidth = this.picked ? 2.5 : 1.25;
    ctx.strokeStyle = this.picked ? '#ffffff' : colour;
    ctx.stroke();
    ctx.strokeStyle = colour;
    ctx.fillStyle = colour;
    ctx.lineWidth = 2;
    if (shape === 'disc') {
      trace(ctx, shape, x, y, 4);
      ctx.fill();
    } else if (shape === 'half') {
      ctx.beginPath();
      ctx.arc(x, y, 4, Math.PI / 2, (Math.PI * 3) / 2);
      ctx.fill();
      trace(ctx, 'ring', x, y, 4);
      ctx.stroke();
    } else if (shape === 'dots') {
      for (const dx of [-4, 0, 4]) {
        ctx.beginPath();
        ctx.arc(x + dx, y, 1.3, 0, Math.PI * 2);
        ctx.fill();
      }
    } else {
      trace(ctx, shape, x, y, 3.4);
      ctx.stroke();
    }
    ctx.restore();
  }
}
