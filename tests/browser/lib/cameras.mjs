// Simulated cameras for a browser test: any number that play one small clip, each at another place in it.
import { Cameras as Simulated } from '../../system/lib/cameras.mjs';

export class Cameras extends Simulated {
  /** Starts them; names are cam01, cam02 …; each has a main and a sub stream. */
  static async start(count) {
    const names = Array.from({ length: count }, (_, i) => `cam${String(i + 1).padStart(2, '0')}`);
    const cameras = await super.start({
      config: { all_clips: false, cameras: names.map((name, i) => ({ name, clip: 'plain', sub: 'plain.sub', phase: i })) },
    });
    cameras.names = names;
    cameras.rtsp = cameras.address;
    return cameras;
  }
}
