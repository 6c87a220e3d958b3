// A short low double tone for a scan that was refused. Kept quiet by the person, in this browser; nothing depends on it.
const KEY = 'waybill-scan-sound';

export const isOn = () => {
  try { return localStorage.getItem(KEY) !== 'off'; } catch { return true; } // a browser may forbid it
};

export const turn = (on) => {
  try { localStorage.setItem(KEY, on ? 'on' : 'off'); } catch { /* then it holds for this page alone */ }
};

export function sound() {
  if (!isOn() || typeof AudioContext === 'undefined') return;
  const context = new AudioContext();
  if (context.state !== 'running') { // the browser plays nothing before the person has touched the page
    context.close();
    return;
  }
  for (const start of [0, 0.18]) {
    const tone = context.createOscillator();
    const level = context.createGain();
    tone.type = 'square';
    tone.frequency.value = 196;
    level.gain.value = 0.08;
    tone.connect(level).connect(context.destination);
    tone.start(context.currentTime + start);
    tone.stop(context.currentTime + start + 0.12);
  }
  setTimeout(() => context.close(), 600);
}
