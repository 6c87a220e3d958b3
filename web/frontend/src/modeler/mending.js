// The server's fixes: one by one, or all that follow from the diagram; and the list of what keeps it from running.
import { tell } from './dialogs.js';
import { worded } from './places.js';

const MOST = 300; // one fix may show the next; no diagram needs as many

// What is mended at once: what follows from the diagram, of what keeps it from running; when it runs, of the rest.
export function clear(missing) {
  const needed = missing.some((each) => each.needed);
  return missing.filter((each) => each.fix && each.needed === needed);
}

// `taken(names, finding)` shows the files that a fix changed; `onchange()` is told when the list or its words change;
// `still(work)` does work while nothing else can be changed.
export class Mending {
  constructor({ draft, taken, onchange, still }) {
    Object.assign(this, { draft, taken, onchange, still });
    this.missing = null; // in the order in which it is best mended; null: not looked at
    this.words = '';
    this.before = new Map(); // name → text before the last mending, null when there was no such file
    this.told = () => {};
  }

  async show() {
    try {
      if (!(await this.draft.flush())) throw new Error('The draft is not saved');
      const { items } = await this.draft.call('GET', '/missing');
      this.#be(items);
    } catch (error) {
      tell('What is missing is not known', `${error.message}.`, 'bad');
    }
  }

  hide() {
    this.#be(null);
  }

  async one(finding, fix, button) {
    button.disabled = true;
    this.forget();
    try {
      const label = [finding, ...(finding.others || [])].find((each) => each.fix === fix)?.label || 'one problem';
      const { changed, items } = await this.#apply(finding, fix);
      await this.taken(changed, finding);
      if (this.missing) this.#be(items);
      this.#tell(label);
    } catch (error) {
      tell('It could not be mended', `${error.message}. Mend it by hand.`, 'bad');
    } finally {
      button.disabled = false;
    }
  }

  async all(button) {
    button.disabled = true;
    this.forget();
    const changed = new Set();
    const tried = new Set();
    const asked = clear(this.missing);
    const next = () => clear(this.missing).find((each) => each.needed === asked[0].needed && !tried.has(key(each)));
    try {
      for (let each = next(); each && tried.size < MOST; each = next()) {
        tried.add(key(each));
        const mended = await this.#apply(each, each.fix);
        mended.changed.forEach((name) => changed.add(name));
        this.#be(mended.items, `${tried.size} mended …`);
      }
      const more = tried.size - asked.length;
      this.#be(this.missing, `${tried.size} mended${more > 0 ? `, ${more} of them only showed after others` : ''}`);
    } catch (error) {
      tell('Not all could be mended', `${error.message}. Mend the rest one by one.`, 'bad');
    } finally {
      button.disabled = false;
      await this.taken([...changed], null);
      if (tried.size) this.#tell(tried.size === 1 ? 'one problem' : `${tried.size} problems`);
    }
  }

  // What was changed after a mending would be lost with it: it can no longer be undone.
  forget() {
    this.before.clear();
    this.told();
  }

  async #undo() {
    const before = [...this.before];
    this.forget();
    try {
      for (const [name, text] of before) this.draft.set(name, text);
      if (!(await this.draft.flush())) throw new Error('The draft is not saved');
      await this.taken(before.map(([name]) => name), null);
      if (this.missing) await this.show();
    } catch (error) {
      tell('It was not undone', `${error.message}.`, 'bad');
    }
  }

  #tell(label) {
    const undo = () => this.still(() => this.#undo());
    this.told = tell('Mended', `${label}.`, 'good', [['Undo', undo]]);
  }

  async #apply({ file, element }, fix) {
    if (!(await this.draft.flush())) throw new Error('The draft is not saved');
    const mended = await this.draft.change('POST', '/mend', { file, element, fix });
    for (const [name, text] of Object.entries(mended.before)) {
      if (!this.before.has(name)) this.before.set(name, text);
    }
    return mended;
  }

  #be(missing, words = '') {
    Object.assign(this, { missing: missing && missing.map(worded), words });
    this.onchange();
  }
}

const key = ({ file, element, fix }) => `${file} ${element} ${fix}`;
