/** A camera that is on. */
export interface Camera {
  stop(): void;
}

/**
 * Shows the camera in a video element. Prefers the rear camera.
 *
 * @throws Error if there is no camera or the page may not use it; the message says what to do
 */
export async function startCamera(video: HTMLVideoElement): Promise<Camera> {
  // Undefined for pages that come from another machine without HTTPS.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (devices === undefined) {
    throw new Error(
      'The browser does not let this page use a camera. Open it as a file, from localhost or over https, or choose a picture: ' +
        'phones also offer to take one.',
    );
  }
  let stream: MediaStream;
  try {
    stream = await devices.getUserMedia({
      audio: false,
      video: { facingMode: 'environment', width: { ideal: 640 }, height: { ideal: 480 } },
    });
  } catch (error) {
    const { name, message } = error as DOMException;
    const reason = reasons.get(name) ?? `The camera does not start (${message}).`;
    throw new Error(`${reason} You can choose a picture instead.`, { cause: error });
  }
  const stop = (): void => {
    for (const track of stream.getTracks()) track.stop();
    // The element may already show another stream.
    if (video.srcObject === stream) video.srcObject = null;
  };
  video.srcObject = stream;
  try {
    await video.play();
  } catch (cause) {
    stop();
    const { message } = cause as DOMException;
    throw new Error(`The camera does not start (${message}). You can choose a picture instead.`, {
      cause,
    });
  }
  return { stop };
}

const reasons: ReadonlyMap<string, string> = new Map([
  ['NotAllowedError', 'The camera is not allowed. Allow it for this page in the browser.'],
  ['NotFoundError', 'There is no camera.'],
  ['NotReadableError', 'Another program is using the camera. Close it first.'],
]);
