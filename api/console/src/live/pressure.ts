import { readonly, ref } from 'vue';

// Whether this computer decodes what it is sent. The browser counts the frames it had to leave out.

const EVERY_MS = 4_000;
/** Of the frames of a span; said above the one, taken back below the other. */
const MUCH = 0.15;
const LITTLE = 0.05;
/** Too few frames to judge by. */
const FRAMES_MIN = 40;

const isHigh = ref(false);
export const pressure = readonly(isHigh);

const videos = new Map<HTMLVideoElement, { total: number; dropped: number }>();
let timer: ReturnType<typeof setInterval> | undefined;
let high = 0;

function look(): void {
  let total = 0;
  let dropped = 0;
  for (const [video, seen] of videos) {
    const { totalVideoFrames, droppedVideoFrames } = video.getVideoPlaybackQuality();
    // Less than before: it is another film.
    if (totalVideoFrames >= seen.total && droppedVideoFrames >= seen.dropped) {
      total += totalVideoFrames - seen.total;
      dropped += droppedVideoFrames - seen.dropped;
    }
    videos.set(video, { total: totalVideoFrames, dropped: droppedVideoFrames });
  }
  if (document.visibilityState !== 'visible' || total < FRAMES_MIN) return;
  const share = dropped / total;
  // Twice in a row: a change of layout is no lack of strength.
  high = share > MUCH ? high + 1 : 0;
  if (high >= 2) isHigh.value = true;
  else if (share < LITTLE) isHigh.value = false;
}

/** Counts a video's frames until the returned function is called. */
export function watchPressure(video: HTMLVideoElement): () => void {
  videos.set(video, { total: Infinity, dropped: Infinity });
  timer ??= setInterval(look, EVERY_MS);
  return () => {
    videos.delete(video);
    if (videos.size > 0) return;
    clearInterval(timer);
    timer = undefined;
    high = 0;
    isHigh.value = false;
  };
}
