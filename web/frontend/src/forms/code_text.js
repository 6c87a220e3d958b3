// A textarea for code: line numbers, indenting, and lines that are marked. Esc, then Tab, leaves it by the keyboard.

const INDENT = '  ';

export class CodeText {
  constructor(box) {
    this.area = box.querySelector('textarea');
    this.gutter = box.querySelector('.gutter');
    this.status = box.querySelector('[data-parse]');
    this.marks = new Map();
    this.leaving = false;
    this.onchange = () => {};
    this.area.addEventListener('input', () => {
      this.#number();
      this.onchange();
    });
    this.area.addEventListener('scroll', () => (this.gutter.scrollTop = this.area.scrollTop));
    this.area.addEventListener('keydown', (event) => this.#key(event));
    this.area.addEventListener('focus', () => (this.leaving = false));
    this.#number();
  }

  get text() {
    return this.area.value;
  }

  set text(text) {
    this.area.value = text;
    this.#number();
  }

  // Replaces everything so that undo brings it back.
  replace(text) {
    if (text === this.text) return;
    this.area.focus();
    this.area.select();
    this.#type(text);
  }

  // Marks the lines of findings in the margin; an error before a warning.
  mark(findings) {
    this.marks.clear();
    for (const one of findings) {
      if (this.marks.get(one.line) !== 'error') this.marks.set(one.line, one.severity);
    }
    this.#number();
  }

  say(words, bad) {
    this.status.textContent = words;
    this.status.classList.toggle('bad', Boolean(bad));
    this.area.toggleAttribute('aria-invalid', false);
    if (bad) this.area.setAttribute('aria-invalid', 'true');
  }

  // Puts the cursor at a place and brings it into view.
  go(line, column = 1) {
    const lines = this.text.split('\n');
    const start = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
    const end = start + (lines[line - 1] || '').length;
    this.area.focus();
    this.area.setSelectionRange(Math.min(start + column - 1, end), end);
    const height = this.area.scrollHeight / Math.max(1, lines.length);
    this.area.scrollTop = Math.max(0, (line - 4) * height);
  }

  goTo(words) {
    const at = this.text.indexOf(words);
    if (at >= 0) this.go(this.text.slice(0, at).split('\n').length);
  }

  #number() {
    const count = this.text.split('\n').length;
    const rows = Array.from({ length: count }, (_, index) => {
      const row = document.createElement('span');
      const mark = this.marks.get(index + 1);
      row.textContent = `${index + 1}\n`;
      if (mark) row.className = mark === 'error' ? 'bad' : 'warn';
      return row;
    });
    this.gutter.replaceChildren(...rows);
    this.gutter.scrollTop = this.area.scrollTop;
  }

  // execCommand is the one way to type for a person that keeps the browser's undo
  #type(text) {
    if (!document.execCommand('insertText', false, text)) {
      this.area.setRangeText(text, this.area.selectionStart, this.area.selectionEnd, 'end');
      this.area.dispatchEvent(new Event('input', { bubbles: true }));
    }
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === 'Escape') this.leaving = true;
    else if (event.key === 'Tab' && !this.leaving && !this.area.readOnly) {
      event.preventDefault();
      if (event.shiftKey || this.#several()) this.#shift(event.shiftKey);
      else this.#type(INDENT);
    } else if (event.key === 'Enter' && !this.area.readOnly) {
      event.preventDefault();
      this.#newLine();
    } else if (event.key !== 'Shift') this.leaving = false;
  }

  #several() {
    const { selectionStart: start, selectionEnd: end } = this.area;
    return this.text.slice(start, end).includes('\n');
  }

  // Moves every line of the selection in or out.
  #shift(out) {
    const { selectionStart: start, selectionEnd: end } = this.area;
    const first = this.text.lastIndexOf('\n', start - 1) + 1;
    const chosen = this.text.slice(first, end);
    const moved = chosen.replace(/^/gm, INDENT);
    const text = out ? chosen.replace(/^ {1,2}/gm, '') : moved;
    if (text === chosen) return;
    this.area.setSelectionRange(first, end);
    this.#type(text);
    this.area.setSelectionRange(chosen.includes('\n') ? first : first + text.length, first + text.length);
  }

  // A new line begins where the one above does, one step further after an opening bracket.
  #newLine() {
    const at = this.area.selectionStart;
    const line = this.text.slice(this.text.lastIndexOf('\n', at - 1) + 1, at);
    const indent = line.match(/^[ \t]*/)[0];
    this.#type(`\n${indent}${/[{[]\s*$/.test(line) ? INDENT : ''}`);
  }
}
