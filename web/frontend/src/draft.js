// The files of a draft in the browser: saves what changed by itself, one request at a time, and overwrites nobody.
//
//   const draft = new DraftFiles({ id, revision, csrf, savedAt, me, people });
//   draft.loaded('forms/a.json', text);      what the server holds, so that a change elsewhere can be told from ours
//   draft.set('forms/a.json', text);         saved about 800 ms after the last call; null removes the file
//   draft.onchange = () => …draft.state…     { kind: saved | waiting | saving | failed | conflict | gone, … }
//   showSaving(draft, { status, notices });  the words in the header, and what to do when two people meet
//   await draft.flush();                     saves now; true when everything is saved

const WAIT = 800;
const POLL = 10_000; // how often we ask whether somebody else has saved
const KEEPALIVE_BYTES = 60_000; // browsers refuse more than 64 kB in a request that outlives its page

export { showSaving } from './draft_notice.js';

// Times are written in the reader's zone, as everywhere on the pages.
const { zone, locale } = document.documentElement.dataset;
const clock = new Intl.DateTimeFormat(locale === 'en' ? 'en-GB' : locale, { timeStyle: 'medium', timeZone: zone });
export const clockTime = (at) => clock.format(at instanceof Date ? at : new Date(at));

export function ago(iso, now = new Date()) {
  const seconds = Math.max(0, Math.round((now - new Date(iso)) / 1000));
  if (seconds < 90) return `${seconds} s ago`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min ago` : `at ${clockTime(iso)}`;
}

export class DraftFiles {
  constructor({ id, revision, csrf, savedAt = null, me = '', people = {}, now = null }) {
    Object.assign(this, { id, revision, csrf, me, people });
    this.ahead = now ? new Date(now) - Date.now() : 0; // the house's clock is not always this machine's
    this.path = `/api/v1/drafts/${encodeURIComponent(id)}`;
    this.state = { kind: 'saved', at: savedAt };
    this.changed = new Map(); // name → text or null, not yet on the server
    this.held = new Map(); // name → text as the server has it, as far as we know
    this.news = null; // { by, at, revision } of a change by somebody else that has met none of ours
    this.collect = async () => {}; // the page puts what it has not yet handed over into `set`; `true`: even half a word
    this.typed = () => []; // the files that hold more than was handed over
    this.onchange = () => {};
    this.running = null;
    this.own = 0; // calls of ours that change the draft, under way
    this.failures = 0;
    window.addEventListener('pagehide', () => this.#leave());
    window.addEventListener('beforeunload', (event) => this.#leaving(event));
    window.addEventListener('online', () => this.unsaved && this.flush());
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'hidden') this.flush();
      else this.look();
    });
    this.poll = setInterval(() => this.look(), POLL);
  }

  get unsaved() {
    return this.changed.size > 0 || this.running !== null;
  }

  // The time now, by the clock of the house.
  now() {
    return new Date(Date.now() + this.ahead);
  }

  name(user) {
    return this.people[user] || user || 'Somebody';
  }

  // The server changes the draft for us, by another call than a save.
  async change(method, path, body) {
    this.own += 1;
    try {
      const answer = await this.call(method, path, { ...body, revision: this.revision });
      this.revision = answer.revision;
      if (this.news?.by === this.me && this.news.revision <= this.revision) this.news = null;
      this.#be({ kind: 'saved', at: answer.updated_at });
      return answer;
    } finally {
      this.own -= 1;
    }
  }

  // Something is being typed or drawn that is not handed over yet: what stands here is no longer all saved.
  touch() {
    if (this.state.kind !== 'saved') return;
    this.before = this.state;
    this.#be({ kind: 'waiting' });
  }

  // Nothing came of it.
  settle() {
    if (this.state.kind === 'waiting' && !this.unsaved && this.before) this.#be(this.before);
  }

  loaded(name, text) {
    this.held.set(name, text);
  }

  // What a page that went away in the middle of saving had. Call it when every file is `loaded`. Gives the files to
  // show; when somebody has saved since, they are in conflict and are not sent.
  rescued() {
    const kept = JSON.parse(sessionStorage.getItem(this.#key()) || 'null');
    sessionStorage.removeItem(this.#key());
    const files = Object.entries(kept?.files || {}).filter(([name, text]) => this.held.get(name) !== text);
    if (!files.length) return {};
    for (const [name, text] of files) this.changed.set(name, text);
    if (kept.revision === this.revision) this.#later(0);
    else this.#be({ kind: 'conflict', by: '', at: null, revision: this.revision });
    return Object.fromEntries(files);
  }

  set(name, text) {
    if (!this.changed.has(name) && !this.running && this.held.get(name) === text) return this.settle();
    this.changed.set(name, text);
    if (this.state.kind === 'conflict' || this.state.kind === 'gone') return;
    if (this.state.kind !== 'saving') this.#be({ kind: 'waiting' });
    this.#later(WAIT);
  }

  // Saves now. `all`: what somebody is still typing on the canvas too, which ends the typing.
  async flush(all = true) {
    clearTimeout(this.timer);
    await this.collect(all);
    while (this.running) await this.running;
    if (this.changed.size && !['conflict', 'gone'].includes(this.state.kind)) {
      this.running = this.#send();
      await this.running;
    }
    return !this.unsaved;
  }

  // Somebody else's changes are on the server: take the server's state of the whole draft, and drop ours.
  takeTheirs() {
    this.changed.clear();
    sessionStorage.removeItem(this.#key());
    location.reload();
  }

  // Both live on: a new draft with everything the server has and our changes over it. Goes to the copy.
  async keepMine() {
    await this.collect(true);
    const made = await this.call('POST', '/copy', { files: Object.fromEntries(this.changed) });
    this.changed.clear();
    location.assign(location.pathname.replace(`/modeler/${this.id}`, `/modeler/${made.id}`));
  }

  // The text of one file as the server has it; null when there is no such file.
  async text(name) {
    const answer = await fetch(`${this.path}/files/${name}`, { credentials: 'same-origin', cache: 'no-store' });
    if (answer.status === 404) return null;
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    return answer.text();
  }

  // Asks how the draft stands now; tells of changes by others before they meet ours.
  async look() {
    const busy = () => this.running || this.own > 0; // the answer could be about a change of our own
    if (busy() || document.visibilityState === 'hidden' || this.state.kind === 'gone') return;
    let found;
    try {
      found = await this.call('GET', '');
    } catch (error) {
      if (error.status === 404) this.#be({ kind: 'gone' });
      return;
    }
    if (!['open', undefined].includes(found.state)) this.#be({ kind: 'gone', state: found.state });
    else if (!busy() && found.revision > this.revision && this.news?.revision !== found.revision) {
      this.news = { by: found.updated_by, at: found.updated_at, revision: found.revision };
      this.onchange();
    }
  }

  async call(method, path, body, extra = {}) {
    const answer = await fetch(this.path + path, {
      method,
      credentials: 'same-origin',
      headers: { 'X-CSRFToken': this.csrf, ...(body ? { 'Content-Type': 'application/json' } : {}) },
      body: body ? JSON.stringify(body) : undefined,
      ...extra,
    });
    const type = answer.headers.get('Content-Type') || '';
    const said = answer.status === 204 ? {} : type.includes('json') ? await answer.json() : await answer.text();
    if (answer.ok) return said;
    throw Object.assign(new Error(said.detail || said.title || `the server answered ${answer.status}`), {
      status: answer.status,
      problem: said,
    });
  }

  async #send(again = false) {
    const sent = new Map(this.changed);
    this.#be({ kind: 'saving' });
    try {
      const files = Object.fromEntries(sent);
      const keepalive = this.leaving === true && !this.#isLong(); // the page may be gone before the answer
      const saved = await this.call('PUT', '/files', { revision: this.revision, files }, { keepalive });
      this.revision = saved.revision;
      for (const [name, text] of sent) {
        this.held.set(name, text);
        if (this.changed.get(name) === text) this.changed.delete(name);
      }
      this.failures = 0;
      sessionStorage.removeItem(this.#key());
      this.running = null;
      this.#be(this.changed.size ? { kind: 'waiting' } : { kind: 'saved', at: saved.updated_at });
      if (this.changed.size) this.#later(WAIT);
    } catch (error) {
      if (error.status === 409 && String(error.problem?.type).endsWith('draft-changed')) {
        if (!again && (await this.#apart(error.problem, sent))) return this.#send(true);
        this.running = null;
        this.#be({ kind: 'conflict', by: error.problem.by, at: error.problem.at, revision: error.problem.revision });
      } else {
        this.running = null;
        this.#failed(error);
      }
    }
  }

  // Two people may work on different files of one draft: ours go on top when nobody has touched the same ones.
  async #apart(problem, sent) {
    try {
      for (const name of sent.keys()) {
        if (!this.held.has(name) || (await this.text(name)) !== this.held.get(name)) return false;
      }
    } catch {
      return false;
    }
    this.revision = problem.revision;
    this.news = { by: problem.by, at: problem.at, revision: problem.revision };
    return true;
  }

  #failed(error) {
    if (error.status === 404 || error.status === 410) return this.#be({ kind: 'gone' });
    const passing = !error.status || error.status === 401 || error.status === 429 || error.status >= 500;
    const why = error.status ? error.message : 'the server cannot be reached';
    this.failures += 1;
    this.#be({ kind: 'failed', why: error.status === 401 ? 'you are signed out' : why, again: passing });
    if (error.status === 409) this.look(); // it may be closed
    else if (passing) this.#later(Math.min(30_000, 2_000 * 2 ** Math.min(4, this.failures - 1)));
  }

  #body() {
    return { revision: this.revision, files: Object.fromEntries(this.changed) };
  }

  // The page may go: save what there is. The browser asks first when that could come too late.
  #leaving(event) {
    const bad = ['failed', 'conflict'].includes(this.state.kind);
    const typed = this.typed();
    const long = this.#isLong(typed);
    this.leaving = true;
    setTimeout(() => (this.leaving = false), 1_000); // unless somebody stays
    this.flush();
    const unsaved = this.unsaved || typed.length > 0;
    if (unsaved && this.state.kind !== 'gone' && (bad || this.running || long)) event.preventDefault();
  }

  #isLong(typed = []) {
    const more = typed.map((name) => this.held.get(name) || '');
    return new Blob([JSON.stringify(this.#body()), ...more]).size > KEEPALIVE_BYTES;
  }

  #leave() {
    if (!this.changed.size) return;
    const body = this.#body();
    const text = JSON.stringify(body);
    sessionStorage.setItem(this.#key(), text);
    if (this.running || this.#isLong()) return;
    this.call('PUT', '/files', body, { keepalive: true }).catch(() => {});
  }

  #later(wait) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(false), wait);
  }

  #be(state) {
    this.state = state;
    this.onchange();
  }

  #key() {
    return `waybill-draft-${this.id}`;
  }
}
