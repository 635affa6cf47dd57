// Where a camera can be opened by players that are not this page.
import { ref } from 'vue';
import { api } from '../api/client';
import type { Camera, StreamRole } from '../api/types';

/** The port RTSP goes out by: its usual one until the gateway has told. */
const rtspPort = ref(8554);
export async function askRtspPort(): Promise<void> {
  try {
    rtspPort.value = (await api.currentSession()).rtsp_port || rtspPort.value;
  } catch {
    // What is asked for beside it tells what is wrong.
  }
}

const host = window.location.hostname;
const withTicket = (url: string, ticket: string): string => (ticket === '' ? url : `${url}?ticket=${encodeURIComponent(ticket)}`);

export const rtspBase = (user = ''): string => `rtsp://${user === '' ? '' : `${user}@`}${host}:${rtspPort.value}`;

export function addressesOf(camera: Camera, role: StreamRole, ticket: string): Record<'rtsp' | 'hls' | 'http', string> {
  const name = encodeURIComponent(camera.code || camera.id);
  const live = `${window.location.origin}/live/${name}`;
  return {
    rtsp: withTicket(`${rtspBase()}/${name}${role === 'sub' ? '/sub' : ''}`, ticket),
    hls: withTicket(`${live}/${role === 'sub' ? 'sub/' : ''}index.m3u8`, ticket),
    http: withTicket(`${live}/${role}.mp4`, ticket),
  };
}
