// The server's fixes: one by one, or all that follow from the diagram; and the list of what keeps it from running.
import { tell } from './dialogs.js';

const MOST = 300; // one fix may show the next; no diagram needs as many

// `taken(names, finding)` shows the files that a fix changed; `onchange()` is told when the list or its words change.
export class Mending {
  constructor({ draft, taken, onchange }) {
    Object.assign(this, { draft, taken, onchange });
    this.missing = null; // in the order in which it is best mended; null: not looked at
    this.words = '';
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
    try {
      const { changed, items } = await this.#apply(finding, fix);
      await this.taken(changed, finding);
      if (this.missing) this.#be(items);
    } catch (error) {
      tell('It could not be mended', `${error.message}. Mend it by hand.`, 'bad');
    } finally {
      button.disabled = false;
    }
  }

  async all(button) {
    button.disabled = true;
    const changed = new Set();
    const tried = new Set();
    const next = () => this.missing.find((each) => each.fix && !tried.has(key(each)));
    try {
      for (let each = next(); each && tried.size < MOST; each = next()) {
        tried.add(key(each));
        const mended = await this.#apply(each, each.fix);
        mended.changed.forEach((name) => changed.add(name));
        this.#be(mended.items, `${tried.size} mended …`);
      }
      this.#be(this.missing, `${tried.size} mended`);
    } catch (error) {
      tell('Not all could be mended', `${error.message}. Mend the rest one by one.`, 'bad');
    } finally {
      button.disabled = false;
      await this.taken([...changed], null);
    }
  }

  async #apply({ file, element }, fix) {
    if (!(await this.draft.flush())) throw new Error('The draft is not saved');
    const mended = await this.draft.call('POST', '/mend', { file, element, fix, revision: this.draft.revision });
    this.draft.adopt(mended);
    return mended;
  }

  #be(missing, words = '') {
    Object.assign(this, { missing, words });
    this.onchange();
  }
}

const key = ({ file, element, fix }) => `${file} ${element} ${fix}`;
