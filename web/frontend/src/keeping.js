// What somebody types is never lost: it is saved on the server within a second, and in the browser until it is saved.
import { _ } from './texts.js';

const form = document.querySelector('form[data-draft]');
const SOON = 600;
const AGAIN = 3000;
const keyOf = (task, person) => `typed ${person} ${task}`;
// some browsers forbid it; then the server alone keeps what is typed
const store = {
  get: (key) => { try { return JSON.parse(localStorage.getItem(key)); } catch { return null; } },
  set: (key, value) => { try { localStorage.setItem(key, JSON.stringify(value)); } catch { /* see above */ } },
  drop: (key) => { try { localStorage.removeItem(key); } catch { /* see above */ } },
};

for (const done of document.querySelectorAll('[data-forget]')) {
  for (const key of Object.keys(localStorage)) {
    if (key.startsWith('typed ') && key.endsWith(` ${done.dataset.forget}`)) store.drop(key);
  }
}

if (form) {
  const key = keyOf(form.dataset.task, form.dataset.person);
  const newest = `saved ${key}`;
  const told = document.getElementById('saved');
  const base = form.elements._draft;
  let [dirty, saving, timer, held] = [false, null, 0, 'held' in form.dataset];

  const typed = () => [...new FormData(form)].filter(([name]) => name.startsWith('/'));
  let noted = JSON.stringify(typed());
  const say = (text, bad = false) => { told.textContent = text; told.classList.toggle('bad', bad); };
  const soon = (wait) => { timer ||= setTimeout(() => { timer = 0; save(); }, wait); };

  function note() {
    const now = JSON.stringify(typed());
    if (now === noted) return; // leaving a field tells once more what typing has told
    noted = now;
    dirty = true;
    store.set(key, { base: base.value, typed: typed() });
    if (!held) soon(SOON);
  }

  function save() {
    if (saving || held || !dirty) return saving;
    saving = send().finally(() => { saving = null; if (dirty && !held) soon(SOON); });
    return saving;
  }

  async function send() {
    dirty = false;
    let answer;
    try {
      answer = await fetch(form.dataset.draft, {
        method: 'POST', body: new URLSearchParams(new FormData(form)), headers: { 'HX-Request': 'true' },
        signal: AbortSignal.timeout(10_000),
      });
    } catch {
      return later(_('Not saved – no connection. It is kept in this browser'));
    }
    if (answer.status >= 500) return later(_('Not saved – the server does not answer. It is kept in this browser'));
    if (answer.status === 400 || answer.status === 401) return signedOut();
    const news = await answer.json().catch(() => ({}));
    if (news.changed) return changed(news.changed);
    if (!answer.ok) { held = true; return say(news.said || _('Not saved. Load the page again.'), true); }
    base.value = news.revision;
    sessionStorage.setItem(newest, base.value);
    if (dirty) store.set(key, { base: base.value, typed: typed() });
    else store.drop(key);
    if (news.claim) document.getElementById('claim').innerHTML = news.claim;
    return say(news.said);
  }

  function later(text) {
    dirty = true;
    say(text, true);
    soon(AGAIN);
  }

  function signedOut() {
    [dirty, held] = [true, true];
    const why = _('Not saved – you are signed out. It is kept in this browser.');
    say(`${why} `, true);
    const link = document.createElement('a');
    link.href = `/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`;
    link.textContent = _('Sign in again');
    told.append(link);
  }

  function changed(html) {
    [dirty, held] = [true, true];
    document.getElementById('draft-changed').innerHTML = html;
    say(_('Not saved'), true);
  }

  // whether this page was asked for while a save was under way, and shows what stood before it
  function outdated() {
    const saved = Number(sessionStorage.getItem(newest));
    sessionStorage.removeItem(newest);
    return saved > Number(base.value);
  }

  // what was typed and never arrived, because the connection, the session or the machine was gone
  function putBack() {
    const left = store.get(key);
    if (!left || JSON.stringify(left.typed) === JSON.stringify(typed())) return store.drop(key);
    const names = new Set([...form.querySelectorAll('[name^="/"]')].map((field) => field.name));
    if (left.typed.some(([name]) => !names.has(name))) return say(_('Some of what you typed could not be put back.'), true);
    const values = Map.groupBy ? Map.groupBy(left.typed, ([name]) => name) : new Map(left.typed.map((pair) => [pair[0], [pair]]));
    for (const field of form.querySelectorAll('[name^="/"]')) {
      const sent = (values.get(field.name) || []).map(([, value]) => value);
      if (field.type === 'checkbox' || field.type === 'radio') field.checked = sent.includes(field.value);
      else if (sent.length) field.value = sent[0];
    }
    noted = JSON.stringify(typed());
    base.value = left.base; // an older one than the stored draft is asked about, not saved over it
    dirty = true;
    soon(0);
    return undefined;
  }

  form.addEventListener('input', note);
  form.addEventListener('change', note);
  addEventListener('online', () => save());
  // a save that is under way is waited for: its answer names the draft that is being completed
  form.addEventListener('submit', (event) => {
    if (saving) {
      event.preventDefault();
      event.stopPropagation();
      const { submitter } = event;
      saving.finally(() => { if (!held) form.requestSubmit(submitter); });
      return;
    }
    clearTimeout(timer);
    timer = 1; // nothing more is saved beside what is sent
    dirty = false;
  });
  addEventListener('pageshow', (event) => { if (event.persisted) { timer = 0; held = false; } });
  addEventListener('pagehide', () => {
    if (dirty && !held) fetch(form.dataset.draft, { method: 'POST', body: new URLSearchParams(new FormData(form)), keepalive: true }).catch(() => {});
  });

  // what was typed is saved before the task is given back: saved behind it, it would claim the task again
  document.addEventListener('submit', (event) => {
    const { target, submitter } = event;
    if (held || !(dirty || saving) || !target.closest('#claim')) return;
    event.preventDefault();
    event.stopPropagation();
    Promise.resolve(save()).then(save).finally(() => {
      if (held || !target.isConnected) return;
      held = true;
      target.requestSubmit(submitter);
    });
  }, { capture: true });

  if ('unsaved' in form.dataset) { noted = ''; note(); }
  else if (!held && !document.querySelector('[name="_mine"]')) {
    if (outdated()) location.reload();
    else putBack();
  }
}

// --- keys of a form: Ctrl+Enter completes, Escape leaves the field, Enter goes to the first one ---
const filled = document.querySelector('form.taskform:has(.primary[value="complete"])');
if (filled) {
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && !document.querySelector('dialog[open]')) {
      event.preventDefault();
      filled.requestSubmit(filled.querySelector('.primary[value="complete"]'));
    } else if (event.key === 'Escape' && filled.contains(event.target) && event.target.matches('input, select, textarea')) {
      document.getElementById('main').focus({ preventScroll: true });
    } else if (event.key === 'Enter' && (event.target === document.body || event.target.id === 'main')) {
      const first = [...filled.querySelectorAll('[name^="/"]')].find((field) => field.type !== 'hidden' && !field.matches(':disabled'));
      if (first) { event.preventDefault(); first.focus(); }
    }
  });
}
