// What every page does beyond plain HTML: live parts and drafts by htmx, the keys, one click once. Nothing depends on it.
import 'htmx.org';
import './scan.js'; // before the keys: it tells a scanner's from a person's
import './counting.js';
import './inbox.js';
import './keeping.js';
import './session.js';

const ticks = '#task-list input[name="task"]';
const editable = (element) => element.closest(`input:not(${ticks}), select, textarea, [contenteditable]`);

// --- keys: j k move, x ticks, Enter opens (it is a link), c claims, r releases, / searches, ? lists them ---
function move(by) {
  const links = [...document.querySelectorAll('[data-keys] a[href]')];
  if (!links.length) return;
  const row = document.activeElement.closest('#task-list li')?.querySelector('a[href]');
  const at = links.findIndex((link) => link === (row ?? document.activeElement));
  const from = at >= 0 ? at : links.findIndex((link) => link.getAttribute('aria-current')) ;
  const next = links[Math.min(links.length - 1, Math.max(0, from < 0 && by < 0 ? 0 : from + by))];
  next.focus();
  next.scrollIntoView({ block: 'nearest' });
}

const ticked = () => document.activeElement.closest('#task-list li') ?? document.querySelector('#task-list li.here');

const keys = {
  j: () => move(1),
  k: () => move(-1),
  x: () => ticked()?.querySelector('input:not(:disabled)')?.click(),
  r: () => document.querySelector('[data-key="r"]')?.click(),
  c: () => document.querySelector('[data-key="c"]')?.click(),
  '/': () => document.querySelector('[role="search"] input')?.focus(),
  '?': () => document.querySelector('#keys')?.showModal?.(),
};

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || editable(event.target)) return;
  if (document.querySelector('dialog[open]')) return;
  const named = document.querySelector(`[data-key~="${CSS.escape(event.key)}"]`);
  const act = named ? () => named.click() : keys[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});

// --- Ctrl+Enter sends a text that is typed for others: a question, an answer, a note ---
document.addEventListener('keydown', (event) => {
  const quick = event.key === 'Enter' && (event.ctrlKey || event.metaKey) && event.target.closest('form[data-quick]');
  if (!quick) return;
  event.preventDefault();
  quick.requestSubmit();
});

// --- a form is sent once, however often its button is hit ---
document.addEventListener('submit', (event) => {
  const form = event.target;
  if (form.dataset.sent) event.preventDefault();
  else if (form.method === 'post') form.dataset.sent = 'yes';
});
window.addEventListener('pageshow', () => {
  document.querySelectorAll('form[data-sent]').forEach((form) => delete form.dataset.sent);
});

// --- dialogs: the link leads to a page that does the same without a script ---
document.addEventListener('click', (event) => {
  const opener = event.target.closest('[data-dialog]');
  const dialog = opener && document.getElementById(opener.dataset.dialog);
  if (dialog?.showModal) {
    event.preventDefault();
    dialog.showModal();
  }
  const closer = event.target.closest('[data-close]');
  if (closer) {
    event.preventDefault();
    closer.closest('dialog')?.close();
  }
});

// --- after a refused form, start at what is wrong; after adding a row, at its first field ---
const start = document.querySelector('[data-focus]');
if (start) (start.matches('tr') ? start.querySelector('input, select, textarea') : start)?.focus();

// --- the button of the gate says what it will do ---
const sign = document.querySelector('[data-sign]');
if (sign) {
  const form = sign.closest('form');
  const say = () => {
    const chosen = form.querySelector('input[name="decision"]:checked');
    const step = form.querySelector('select[name="send_back_to"]');
    if (!chosen) return;
    sign.textContent = chosen.dataset.says.replace('%(step)s', step?.value ?? '');
    const meaning = form.querySelector('span[data-meaning]');
    if (meaning && chosen.dataset.meaning) meaning.textContent = chosen.dataset.meaning;
  };
  form.addEventListener('change', say);
  say();
  // the bar of a narrow screen chooses, then leads to the form; without a script its links do the same
  document.addEventListener('click', (event) => {
    const wanted = event.target.closest('[data-decide]');
    if (!wanted) return;
    event.preventDefault();
    const choice = form.querySelector(`input[name="decision"][value="${wanted.dataset.decide}"]`);
    choice.checked = true;
    say();
    form.scrollIntoView({ block: 'start' });
    choice.focus({ preventScroll: true });
  });
}

// --- the browser's own time zone is offered where somebody chooses one ---
const ownZone = document.querySelector('[data-own-zone]');
const zoneOffer = document.querySelector('[data-zone-offer]');
if (ownZone && zoneOffer) {
  const mine = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if ([...ownZone.options].some((option) => option.value === mine) && ownZone.value !== mine) {
    zoneOffer.querySelector('span').textContent = mine.replaceAll('_', ' ');
    zoneOffer.hidden = false;
    zoneOffer.querySelector('button').addEventListener('click', () => {
      ownZone.value = mine;
      zoneOffer.hidden = true;
      ownZone.focus();
    });
  }
}
