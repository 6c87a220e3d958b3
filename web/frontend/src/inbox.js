// The list of tasks beside what somebody does: it brings itself up to date, and no place, focus or tick is lost by it.
import { _ } from './texts.js';

const list = () => document.getElementById('task-list');
const rows = () => [...document.querySelectorAll('#task-list li')];
const MOST = 100;

// --- place: the same list opens where it was left ---
const placeOf = () => `place ${list()?.dataset.list}`;
function restorePlace() {
  const shown = list();
  if (!shown) return;
  shown.scrollTop = Number(sessionStorage.getItem(placeOf()) || 0);
  const here = shown.querySelector('li.here');
  if (!here) return;
  const [row, box] = [here.getBoundingClientRect(), shown.getBoundingClientRect()];
  if (row.top < box.top || row.bottom > box.bottom) shown.scrollTop += row.top - box.top - box.height / 3;
}
addEventListener('pagehide', () => list() && sessionStorage.setItem(placeOf(), String(list().scrollTop)));

// --- ticks: of one kind, kept while the list changes and while tasks are opened from it ---
const ticksOf = () => `ticks ${list()?.dataset.list}`;
const picked = () => new Map(JSON.parse(sessionStorage.getItem(ticksOf()) || '[]'));
function keepTicks(ticks) {
  if (ticks.size) sessionStorage.setItem(ticksOf(), JSON.stringify([...ticks]));
  else sessionStorage.removeItem(ticksOf());
}
function showTicks() {
  const bar = document.getElementById('pick');
  if (!bar) return;
  const boxes = [...document.querySelectorAll('#task-list input[name="task"]')];
  const ticks = picked();
  for (const id of ticks.keys()) if (!boxes.some((box) => box.value === id)) ticks.delete(id);
  keepTicks(ticks);
  const [kind] = ticks.values();
  for (const box of boxes) {
    box.checked = ticks.has(box.value);
    box.disabled = !box.checked && (ticks.size >= MOST || Boolean(kind && box.dataset.kind !== kind));
  }
  const step = boxes.find((box) => box.checked)?.dataset.step;
  bar.querySelector('[data-picked]').textContent = _('%(count)s selected', { count: ticks.size });
  bar.querySelector('[data-of]').textContent = step ? _('step %(step)s', { step }) : '';
}
document.addEventListener('change', ({ target }) => {
  if (target.name !== 'task' || !target.closest('#task-list')) return;
  const ticks = picked();
  if (target.checked) ticks.set(target.value, target.dataset.kind);
  else ticks.delete(target.value);
  keepTicks(ticks);
  showTicks();
});
document.addEventListener('reset', ({ target }) => {
  if (target.id !== 'pick') return;
  keepTicks(new Map());
  setTimeout(showTicks);
});

// --- news: what came is said in a word; the row under the eye stays where it is ---
let before = null;
let came = 0;
function look() {
  const shown = list();
  const focused = document.activeElement?.closest?.('#task-list li');
  const top = shown.getBoundingClientRect().top;
  const anchor = focused ?? rows().find((row) => row.getBoundingClientRect().bottom > Math.max(top, 0));
  before = {
    ids: rows().map((row) => row.id),
    focused: focused && { id: focused.id, at: rows().indexOf(focused), box: document.activeElement.matches('input') },
    active: document.activeElement,
    anchor: anchor && { id: anchor.id, top: anchor.getBoundingClientRect().top },
  };
}
/** Somebody else has the open task now: what is typed on here could not be saved. */
function tellTaken(text) {
  const place = document.getElementById('draft-changed');
  if (!text || !place || place.querySelector('[data-taken-over]')) return;
  const notice = document.createElement('div');
  notice.className = 'notice bad';
  notice.dataset.takenOver = '';
  notice.setAttribute('role', 'alert');
  const words = document.createElement('p');
  words.textContent = text;
  notice.append(words);
  place.append(notice);
}
function settle() {
  if (!before || !list()) return;
  const was = before;
  before = null;
  const now = rows();
  if (was.focused && !document.activeElement?.closest('#task-list li')) {
    const row = document.getElementById(was.focused.id) ?? now[Math.min(was.focused.at, now.length - 1)];
    row?.querySelector(was.focused.box ? 'input:not(:disabled)' : 'a')?.focus({ preventScroll: true });
  } else if (was.active !== document.activeElement && was.active?.isConnected) {
    was.active.focus({ preventScroll: true });
  }
  const fresh = now.filter((row) => !was.ids.includes(row.id));
  fresh.forEach((row) => row.classList.add('new'));
  came += fresh.length;
  if (came) document.getElementById('fresh').textContent = _('%(count)s new', { count: came });
  const counts = JSON.parse(list().dataset.counts || '{}');
  for (const place of document.querySelectorAll('[data-told]')) {
    place.textContent = counts[place.dataset.told] ?? '0';
    place.hidden = place.textContent === '';
  }
  tellTaken(list().dataset.taken);
  showTicks();
  // at the end: the word of what is new takes its place above the list
  const anchor = was.anchor && document.getElementById(was.anchor.id);
  if (anchor) {
    const moved = anchor.getBoundingClientRect().top - was.anchor.top;
    const scrolls = list().scrollHeight > list().clientHeight;
    if (Math.abs(moved) > 1) (scrolls ? list() : window).scrollBy({ top: moved, behavior: 'instant' });
  }
}
document.addEventListener('htmx:before:swap', () => list() && look());
document.addEventListener('htmx:after:swap', settle);
document.addEventListener('pointerdown', (event) => {
  if (!event.target.closest('.inbox')) return;
  came = 0;
  const fresh = document.getElementById('fresh');
  if (fresh) fresh.textContent = '';
});

restorePlace();
if (document.querySelector('#task-list input[checked]')) {
  keepTicks(new Map([...document.querySelectorAll('#task-list input[checked]')].map((box) => [box.value, box.dataset.kind])));
} else if (document.querySelector('[data-forget-ticks]')) keepTicks(new Map());
showTicks();
addEventListener('pageshow', (event) => event.persisted && showTicks());
