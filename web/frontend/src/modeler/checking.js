// Asks the server what is wrong with the draft as it is now, unsaved changes included. The server is the one truth:
// what the canvas, the panel and the list show is its answer, and an answer to an older text is dropped.

import { worded } from './places.js';

const PAUSE = 500;

export class Checking {
  constructor(draft, unsaved) {
    this.draft = draft;
    this.unsaved = unsaved; // gives name → text of what the server does not have yet
    this.onanswer = () => {};
    this.asked = 0;
    this.state = { kind: 'checking', findings: [], at: null };
  }

  // Something changed: ask again after a pause.
  changed() {
    this.asked += 1; // an answer that is under way is about an older text
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.now(), PAUSE);
    this.#be({ kind: 'checking' });
  }

  // Asks at once; the findings, or null when the text changed meanwhile or there was no answer.
  async now() {
    clearTimeout(this.timer);
    this.asked += 1;
    const asked = this.asked;
    try {
      const files = await this.unsaved();
      const answer = await this.draft.call('POST', '/check', { files });
      if (asked !== this.asked) return null;
      const findings = answer.findings.map(worded);
      this.#be({ kind: 'checked', findings, at: this.draft.now(), ms: answer.ms });
      return findings;
    } catch (error) {
      if (asked !== this.asked) return null;
      this.#be({ kind: 'failed', why: error.status ? error.message : 'the server cannot be reached' });
      if (!error.status || error.status >= 500) this.timer = setTimeout(() => this.now(), 5_000);
      return null;
    }
  }

  #be(state) {
    this.state = { ...this.state, ...state };
    this.onanswer(this.state);
  }
}
