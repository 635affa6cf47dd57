// Where a camera can be opened by players that are not this page.
import type { Camera, StreamRole } from '../api/types';

/** The port RTSP goes out by, unless the gateway says another. */
const RTSP_PORT = 8554;

const host = window.location.hostname;
const withTicket = (url: string, ticket: string): string => (ticket === '' ? url : `${url}?ticket=${encodeURIComponent(ticket)}`);

export const rtspBase = (user = ''): string => `rtsp://${user === '' ? '' : `${user}@`}${host}:${RTSP_PORT}`;

export function addressesOf(camera: Camera, role: StreamRole, ticket: string): Record<'rtsp' | 'hls' | 'http', string> {
  const name = encodeURIComponent(camera.code || camera.id);
  const live = `${window.location.origin}/live/${name}`;
  return {
    rtsp: withTicket(`${rtspBase()}/${name}${role === 'sub' ? '/sub' : ''}`, ticket),
    hls: withTicket(`${live}/${role === 'sub' ? 'sub/' : ''}index.m3u8`, ticket),
    http: withTicket(`${live}/${role}.mp4`, ticket),
  };
}
