// A keyboard scanner types a code and ends it with Enter or Tab, faster than any hand. Here its keys are told from a
// person's by their time, wherever the focus is: a code never lands in a field, and no key of it works as a command.
import { sound } from './sound.js';
import { _ } from './texts.js';

/** Milliseconds between two keys of a scanner; by hand, several in a row so close do not happen. */
const GAP = 50;
/** How long a key that is a command waits for the one after it. A scanner's next key is there by then. */
const WAIT = 60;
/** Keys that only move the focus act at once: after a scan another page is open anyway. */
const HARMLESS = ['j', 'k', '/'];
/** A code has at least so many characters; fewer keys in a row come so fast by chance. */
const SHORTEST = 4;

const handlers = [];
/** Registers who is asked first what a code means; it answers true when it has taken it. */
export const onScan = (handler) => handlers.push(handler);

const textual = (element) => element?.matches?.('textarea, input:not([type]), input[type="text"], input[type="search"], input[type="email"], input[type="tel"], input[type="url"], input[type="number"], input[type="date"]');
/** A password or a one-time code is typed by programs as fast as by a scanner, and is nobody else's business. */
const secret = (element) => element?.matches?.('input[type="password"], input[autocomplete="one-time-code"]');

let run = null; // { text, at, touched, held }: the keys that have come without a pause, and what they may have changed
let ended = -GAP; // when the last scan ended: a scanner that sends CR and LF has a second Enter right behind

function before(element) {
  if (textual(element)) return { element, value: element.value, from: element.selectionStart, to: element.selectionEnd };
  if (element?.matches?.('select')) return { element, value: element.value };
  if (element?.matches?.('input[type="checkbox"], input[type="radio"]')) return { element, checked: element.checked };
  return { element };
}

function restore({ element, value, checked, from, to }) {
  if (!element) return;
  if (value !== undefined && element.value !== value) {
    element.value = value;
    // what watches the field, such as its draft, sees what stands in it now
    element.dispatchEvent(new Event('input', { bubbles: true }));
  }
  if (checked !== undefined) element.checked = checked;
  if (from !== undefined && from !== null) element.setSelectionRange(from, to);
}

/** The character that a key stands for; Ctrl+] is how scanners type FNC1, the separator inside GS1 codes. */
function character(event) {
  if (event.ctrlKey && !event.altKey && event.key === ']') return '\x1d';
  const alone = !event.metaKey && (!event.ctrlKey || event.altKey); // AltGr comes as Ctrl and Alt
  return alone && event.key.length === 1 ? event.key : '';
}

/** Gives the keys that were held back to whoever they are for: they were no scan. */
function release() {
  const held = run?.held ?? [];
  if (run) run.held = [];
  for (const { key, target } of held) {
    const now = document.activeElement;
    if (textual(now) && now !== target) { // one of them, such as /, has led into a field
      now.setRangeText(key, now.selectionStart, now.selectionEnd, 'end');
      now.dispatchEvent(new Event('input', { bubbles: true }));
    } else {
      const again = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true });
      again.released = true;
      target.dispatchEvent(again);
    }
  }
}

let waiting = 0;
const listens = document.querySelector('form[data-scan]') !== null; // pages of people who scan have the box
if (listens) document.addEventListener('keydown', (event) => {
  if (event.released || event.isComposing || ['Shift', 'AltGraph', 'CapsLock', 'Control', 'Alt'].includes(event.key)) return;
  const target = event.target;
  if (!run && ['Enter', 'Tab'].includes(event.key) && event.timeStamp - ended <= GAP) {
    event.preventDefault();
    event.stopImmediatePropagation();
    return;
  }
  const ends = (event.key === 'Enter' || event.key === 'Tab') && !event.ctrlKey && !event.metaKey && !event.altKey;
  const fast = run && !event.repeat && event.timeStamp - run.at <= GAP;
  if (ends && fast && run.text.length >= SHORTEST) {
    event.preventDefault();
    event.stopImmediatePropagation();
    clearTimeout(waiting);
    const { text, touched } = run;
    [run, ended] = [null, event.timeStamp];
    touched.forEach(restore);
    scanned(text);
    return;
  }
  const typed = character(event);
  if (!fast) {
    clearTimeout(waiting);
    release();
    run = null;
  }
  if (!typed || event.repeat || secret(target)) { // a key that is held down repeats itself as fast as a scanner
    clearTimeout(waiting);
    release();
    run = null;
    return;
  }
  run ??= { text: '', at: 0, touched: [], held: [] };
  if (run.touched.at(-1)?.element !== target) run.touched.push(before(target));
  run.text += typed;
  run.at = event.timeStamp;
  if (textual(target) || target.isContentEditable) return;
  // outside of fields a character may be a command, or choose in a list: it waits until it is sure whose it is
  if (event.ctrlKey || event.altKey || target.matches('select')) return;
  if (HARMLESS.includes(typed) || (typed === ' ' && run.text.length === 1)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  run.held.push({ key: typed, target });
  clearTimeout(waiting);
  waiting = setTimeout(release, WAIT);
}, { capture: true });

function scanned(text) {
  const dialog = document.querySelector('dialog[open]');
  if (dialog) {
    sound();
    announce(_('Nothing was opened: close this window first, then scan again.'), dialog);
    return;
  }
  if (!handlers.some((handler) => handler(text))) location.assign(`/scan?code=${encodeURIComponent(text)}`);
}

function announce(text, where) {
  where.querySelector('[data-scan-said]')?.remove();
  const line = document.createElement('p');
  line.setAttribute('role', 'alert');
  line.dataset.scanSaid = '';
  line.className = 'err';
  where.append(line);
  line.textContent = text;
}

// --- a page that a scan has led to, and that opened nothing, is heard as well ---
if (document.querySelector('[data-scan-wrong]')) sound();
