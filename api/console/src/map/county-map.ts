// The county drawn with Leaflet: grids, cameras, incidents. No tiles: nothing is
// fetched from anywhere. Labels are elements with text, never markup.

import L from 'leaflet';
import type { Camera, GridFeature, Incident } from '../api/types';
import { severityRank } from '../ui/marks';
import { CameraMark } from './camera-mark';

export interface MapEvents {
  camera(id: string): void;
  grid(id: string | null): void;
  incident(id: string): void;
}

/** From this zoom on, every grid's name fits. */
const LABELS_ZOOM = 14;
/** Letters from here on (CJK) are as wide as they are high. */
const WIDE_FROM = 0x2e7f;
/** So many incidents pulse; the queue has them all. */
const PULSES_MAX = 60;

/** Neighbouring townships differ a little, so that the eye finds their borders. */
const tints = [0.05, 0.11, 0.08, 0.14];
const quiet = (tint: number): L.PathOptions => ({
  color: '#31506b',
  weight: 1,
  fillColor: '#6cbcf5',
  fillOpacity: tints[tint % tints.length]!,
});
const busy: L.PathOptions = { color: '#7d5a36', weight: 1.25, fillColor: '#ff9540', fillOpacity: 0.2 };
const picked: L.PathOptions = { color: '#6cbcf5', weight: 2, fillColor: '#6cbcf5', fillOpacity: 0.18 };

function text(className: string, words: string): HTMLElement {
  const element = document.createElement('span');
  element.className = className;
  element.textContent = words;
  return element;
}

function nameAt(at: L.LatLngExpression, className: string, name: string): L.Marker {
  const icon = L.divIcon({ className, html: text('', name), iconSize: [0, 0] });
  return L.marker(at, { interactive: false, keyboard: false, icon });
}

export class CountyMap {
  private readonly map: L.Map;
  private readonly grids = new Map<string, { shape: L.GeoJSON; label: L.Marker; name: string; tint: number }>();
  private readonly townships: { label: L.Marker; name: string; bounds: L.LatLngBounds }[] = [];
  private readonly cameras = new Map<string, CameraMark>();
  private readonly pulses = new Map<string, { marker: L.Marker; key: string }>();
  private readonly labels = L.layerGroup();
  private readonly watcher: ResizeObserver;
  private fitted = false;

  constructor(
    element: HTMLElement,
    private readonly events: MapEvents,
  ) {
    this.map = L.map(element, {
      preferCanvas: true,
      attributionControl: false,
      zoomControl: false,
      zoomSnap: 0.25,
      minZoom: 7,
      maxZoom: 18,
      center: [29.6, 114.2],
      zoom: 10,
    });
    this.map.on('click', () => events.grid(null));
    this.map.on('zoomend', () => this.showLabels());
    this.watcher = new ResizeObserver(() => {
      this.map.invalidateSize();
      if (!this.fitted) this.fit();
    });
    this.watcher.observe(element);
  }

  remove(): void {
    this.watcher.disconnect();
    this.map.remove();
  }

  zoom(by: number): void {
    this.map.setZoom(this.map.getZoom() + by);
  }

  /** The grids, each with its name and its township's. */
  setGrids(features: Map<string, { feature: GridFeature; name: string; township: string }>): void {
    for (const { shape } of this.grids.values()) shape.remove();
    this.labels.clearLayers();
    this.grids.clear();
    const towns = new Map<string, L.LatLngBounds>();
    for (const [id, { feature, name, township }] of features) {
      if (feature.geometry === null) continue;
      if (!towns.has(township)) towns.set(township, L.latLngBounds([]));
      const tint = [...towns.keys()].indexOf(township);
      const shape = L.geoJSON(feature.geometry, { style: quiet(tint), bubblingMouseEvents: false } as L.GeoJSONOptions);
      shape.on('click', () => this.events.grid(id));
      shape.addTo(this.map);
      towns.get(township)!.extend(shape.getBounds());
      this.grids.set(id, { shape, label: nameAt(shape.getBounds().getCenter(), 'grid-label', name), name, tint });
    }
    this.townships.length = 0;
    for (const [name, bounds] of towns)
      if (name !== '') this.townships.push({ name, bounds, label: nameAt(bounds.getCenter(), 'township-label', name) });
    for (const mark of this.cameras.values()) mark.bringToFront();
    this.showLabels();
    this.fitted = false;
    this.fit();
  }

  setCameras(cameras: Camera[], focus: string | null): void {
    const seen = new Set<string>();
    const before = this.cameras.size;
    for (const camera of cameras) {
      if (!camera.location) continue;
      seen.add(camera.id);
      const at: L.LatLngExpression = [camera.location.lat, camera.location.lon];
      let mark = this.cameras.get(camera.id);
      if (mark === undefined) {
        mark = new CameraMark(at, camera.state);
        mark.on('click', () => this.events.camera(camera.id));
        mark.bindTooltip(() => text('', camera.name), { direction: 'top', offset: [0, -8], className: 'camera-tip' });
        mark.addTo(this.map);
        this.cameras.set(camera.id, mark);
      }
      mark.setLatLng(at);
      mark.show(camera.state, camera.id === focus);
    }
    for (const [id, mark] of this.cameras) {
      if (seen.has(id)) continue;
      mark.remove();
      this.cameras.delete(id);
    }
    if (this.cameras.size !== before) this.showLabels();
    if (!this.fitted) this.fit();
  }

  /** Open incidents, newest first, and the grid and incident that are looked at. */
  setIncidents(incidents: Incident[], place: (incident: Incident) => L.LatLngExpression | null, open: string | null): void {
    const seen = new Set<string>();
    for (const incident of incidents.slice(0, PULSES_MAX)) {
      const at = place(incident);
      if (at === null) continue;
      seen.add(incident.id);
      const key = `${incident.severity} ${incident.id === open} ${String(at)}`;
      const here = this.pulses.get(incident.id);
      if (here?.key === key) continue;
      here?.marker.remove();
      const marker = L.marker(at, {
        keyboard: false,
        zIndexOffset: severityRank[incident.severity] * 100,
        icon: L.divIcon({
          className: `pulse ${incident.severity}${incident.id === open ? ' open' : ''}`,
          html: text('pulse-core', ''),
          iconSize: [34, 34],
        }),
      });
      marker.on('click', () => this.events.incident(incident.id));
      marker.addTo(this.map);
      this.pulses.set(incident.id, { marker, key });
    }
    for (const [id, { marker }] of this.pulses) {
      if (seen.has(id)) continue;
      marker.remove();
      this.pulses.delete(id);
    }
  }

  /** Colours the grids by what goes on in them. */
  markGrids(withIncidents: Set<string>, chosen: string | null): void {
    for (const [id, { shape, tint }] of this.grids)
      shape.setStyle(id === chosen ? picked : withIncidents.has(id) ? busy : quiet(tint));
  }

  /** The middle of a grid, for what has no place of its own. */
  middleOf(grid: string): L.LatLng | null {
    return this.grids.get(grid)?.shape.getBounds().getCenter() ?? null;
  }

  lookAt(at: L.LatLngExpression): void {
    if (!this.map.getBounds().pad(-0.15).contains(at)) this.map.panTo(at);
  }

  fit(): void {
    const bounds = L.latLngBounds([]);
    for (const { shape } of this.grids.values()) bounds.extend(shape.getBounds());
    for (const mark of this.cameras.values()) bounds.extend(mark.getLatLng());
    const size = this.map.getSize();
    if (!bounds.isValid() || size.x === 0 || size.y === 0) return;
    this.map.fitBounds(bounds, { padding: [18, 18], animate: this.fitted, maxZoom: 15 });
    this.fitted = this.grids.size > 0;
  }

  /** Where in the bounds a name of that width meets nothing, as near to the middle as can be. */
  private freePlace(bounds: L.LatLngBounds, width: number, taken: L.Bounds[]): L.LatLng | null {
    const middle = this.map.latLngToLayerPoint(bounds.getCenter());
    const corner = this.map.latLngToLayerPoint(bounds.getNorthEast()).subtract(middle);
    const steps = [0, -0.25, 0.25, -0.5, 0.5, -0.7, 0.7];
    const places = steps.flatMap((dy) => steps.map((dx) => ({ dx, dy, off: Math.hypot(dx, dy) })));
    places.sort((a, b) => a.off - b.off);
    for (const { dx, dy } of places) {
      const at = middle.add([corner.x * dx, corner.y * dy]);
      const place = L.bounds(at.subtract([width / 2, 9]), at.add([width / 2, 9]));
      if (!taken.some((other) => other.intersects(place))) return this.map.layerPointToLatLng(at);
    }
    return null;
  }

  /** Names as far as they fit: none over another, none wider than its grid is while the county is far. */
  private showLabels(): void {
    const near = this.map.getZoom() >= LABELS_ZOOM;
    const taken = [...this.cameras.values()].map((mark) => {
      const at = this.map.latLngToLayerPoint(mark.getLatLng());
      return L.bounds(at.subtract([9, 9]), at.add([9, 9]));
    });
    this.labels.addTo(this.map);
    let shown = 0;
    for (const { shape, label, name } of this.grids.values()) {
      const bounds = shape.getBounds();
      const room = L.bounds([
        this.map.latLngToLayerPoint(bounds.getNorthEast()),
        this.map.latLngToLayerPoint(bounds.getSouthWest()),
      ]);
      const width = [...name].reduce((sum, letter) => sum + (letter.charCodeAt(0) > WIDE_FROM ? 11 : 6.2), 4);
      const middle = room.getCenter();
      const place = L.bounds(middle.subtract([width / 2, 7]), middle.add([width / 2, 7]));
      const fits = near || (room.getSize().x > width * 0.9 && room.getSize().y > 14);
      if (fits && !taken.some((other) => other.intersects(place))) {
        taken.push(place);
        label.addTo(this.labels);
        shown += 1;
      } else this.labels.removeLayer(label);
    }
    // Too far for most grids' names: the townships' are.
    const far = shown < this.grids.size / 3;
    for (const { label, name, bounds } of this.townships) {
      const at = far ? this.freePlace(bounds, name.length * 15, taken) : null;
      if (at !== null) label.setLatLng(at).addTo(this.labels);
      else this.labels.removeLayer(label);
    }
  }
}
