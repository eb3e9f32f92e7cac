// What is heard: one loop at a time, cross-faded when it changes, decoded before it is wanted.

const FADE_S = 0.06;
// At this rate a period of the codec's sound is a whole number of frames, so that the loop has no seam.
const RATE_HZ = 48000;
const MOST_DECODED = 16;

export class SoundError extends Error {}

export class Player {
  #context = null;
  #decoded = new Map();
  #voice = null;
  #wanted = null;

  // Browsers let a page sound only after somebody has touched it; call this from a touch or a key.
  async unlock() {
    this.#context ??= new AudioContext({ sampleRate: RATE_HZ });
    if (this.#context.state !== "running") await this.#context.resume();
  }

  get unlocked() {
    return this.#context !== null;
  }

  // Fetch and decode, so that it sounds at once when it is wanted.
  prepare(url) {
    if (this.#context === null) return Promise.resolve(null);
    if (!this.#decoded.has(url)) {
      const sound = this.#fetched(url);
      this.#decoded.set(url, sound);
      sound.catch(() => this.#decoded.delete(url));
      if (this.#decoded.size > MOST_DECODED) this.#decoded.delete(this.#decoded.keys().next().value);
    }
    return this.#decoded.get(url);
  }

  // Loop a sound instead of the one before; gives its seconds, or null where something else was wanted meanwhile.
  async play(url) {
    this.#wanted = url;
    const buffer = await this.prepare(url);
    if (this.#wanted !== url || buffer === null) return null;
    if (this.#voice?.url === url) return buffer.duration;
    this.#hush();
    const now_s = this.#context.currentTime;
    const gain = new GainNode(this.#context, { gain: 0 });
    const source = new AudioBufferSourceNode(this.#context, { buffer, loop: true });
    source.connect(gain).connect(this.#context.destination);
    gain.gain.linearRampToValueAtTime(1, now_s + FADE_S);
    source.start();
    this.#voice = { url, source, gain };
    return buffer.duration;
  }

  stop() {
    this.#wanted = null;
    this.#hush();
  }

  #hush() {
    if (this.#voice === null) return;
    const { source, gain } = this.#voice;
    const now_s = this.#context.currentTime;
    gain.gain.cancelScheduledValues(now_s);
    gain.gain.setValueAtTime(gain.gain.value, now_s);
    gain.gain.linearRampToValueAtTime(0, now_s + FADE_S);
    source.stop(now_s + FADE_S);
    this.#voice = null;
  }

  async #fetched(url) {
    const answer = await fetch(url);
    if (!answer.ok) {
      const told = await answer.json().catch(() => ({ error: "The sound could not be fetched." }));
      throw new SoundError(told.error);
    }
    return this.#context.decodeAudioData(await answer.arrayBuffer());
  }
}
