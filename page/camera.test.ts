import { afterEach, expect, test, vi } from 'vitest';
import { startCamera } from './camera';

interface Track {
  isOn: boolean;
  readonly stop: () => void;
}

/** A camera that opens a new stream on each request, and the tracks of all streams. */
function fakeCamera(): Track[] {
  const tracks: Track[] = [];
  const getUserMedia = (): Promise<object> => {
    const track: Track = {
      isOn: true,
      stop: () => {
        track.isOn = false;
      },
    };
    tracks.push(track);
    return Promise.resolve({ getTracks: () => [track] });
  };
  vi.stubGlobal('navigator', { mediaDevices: { getUserMedia } });
  return tracks;
}

const videoThat = (play: () => Promise<void>): HTMLVideoElement =>
  ({ srcObject: null, play }) as unknown as HTMLVideoElement;

afterEach(() => {
  vi.unstubAllGlobals();
});

test('a video that does not play turns the camera off again', async () => {
  const tracks = fakeCamera();
  const video = videoThat(() => Promise.reject(new Error('interrupted by a new load')));
  await expect(startCamera(video)).rejects.toThrow(
    'The camera does not start (interrupted by a new load). You can choose a picture instead.',
  );
  expect([tracks.map(({ isOn }) => isOn), video.srcObject]).toEqual([[false], null]);
});

test('stopping the first of two streams leaves the second in the video', async () => {
  const tracks = fakeCamera();
  const video = videoThat(() => Promise.resolve());
  const first = await startCamera(video);
  const second = await startCamera(video);
  const shown = video.srcObject;
  first.stop();
  expect(shown).not.toBeNull();
  expect(video.srcObject).toBe(shown);
  second.stop();
  expect([tracks.map(({ isOn }) => isOn), video.srcObject]).toEqual([[false, false], null]);
});
