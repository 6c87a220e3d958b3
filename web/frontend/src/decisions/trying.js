// "Try it": asks for what the table reads, lets the server answer by the engine's own evaluation, and shows the row.

const make = (tag, text = '', className = '') => {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
};

export class Trying {
  constructor({ form, asks, answer, address, csrf, xml, show }) {
    Object.assign(this, { form, asks, answer, address, csrf, xml, show });
    this.known = '';
    this.tried = false;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.tried = true;
      this.run(true);
    });
    asks.addEventListener('change', () => this.tried && this.run(false));
  }

  // The table has changed: other questions perhaps, and another answer to the same values.
  async changed() {
    const said = await this.#ask(null);
    if (!said) return;
    if (!said.readable) {
      this.answer.replaceChildren(make('p', 'The table cannot be read yet: mend its problems first.', 'mute'));
      this.show([]);
      return;
    }
    this.#draw(said.asks);
    if (this.tried) await this.run(false);
    else this.answer.replaceChildren();
  }

  async run(focus) {
    const values = Object.fromEntries([...new FormData(this.form)].map(([name, value]) => [name, String(value)]));
    const said = await this.#ask(values);
    if (!said) return;
    for (const field of this.asks.querySelectorAll('[data-path]')) this.#fault(field, said.faults?.[field.dataset.path]);
    if (!said.readable) return void (await this.changed());
    if (said.faults) {
      this.answer.replaceChildren();
      this.show([]);
      this.asks.querySelector('[aria-invalid]')?.focus();
    } else {
      this.#tell(said);
      if (focus) this.answer.focus();
    }
  }

  async #ask(values) {
    try {
      const reply = await fetch(this.address, {
        method: 'POST',
        credentials: 'same-origin',
        headers: { 'Content-Type': 'application/json', 'X-CSRFToken': this.csrf },
        body: JSON.stringify({ xml: await this.xml(), ...(values ? { values } : {}) }),
      });
      if (![200, 422].includes(reply.status)) throw new Error(`the server answered ${reply.status}`);
      return await reply.json();
    } catch (error) {
      this.answer.replaceChildren(make('p', `It could not be tried: ${error.message}.`, 'bad'));
      return null;
    }
  }

  #draw(asks) {
    const known = JSON.stringify(asks);
    if (known === this.known) return;
    this.known = known;
    const before = Object.fromEntries(new FormData(this.form));
    this.asks.replaceChildren(...asks.map((ask, index) => field(ask, index, before[ask.path])));
  }

  #fault(box, text) {
    box.querySelector('.err')?.remove();
    const input = box.querySelector('input, select');
    input.removeAttribute('aria-invalid');
    if (!text) return;
    input.setAttribute('aria-invalid', 'true');
    const said = make('p', text, 'err');
    said.id = `${input.id}-err`;
    input.setAttribute('aria-describedby', said.id);
    box.append(said);
  }

  #tell(said) {
    if (said.problem) {
      const box = make('div', '', 'notice bad');
      box.append(make('h3', 'The table gives no answer'), make('p', said.problem));
      this.answer.replaceChildren(box);
      this.show([]);
      return;
    }
    const rows = said.fired.map((one) => one.row);
    const box = make('div', '', 'notice good');
    box.append(make('h3', headline(rows, said.policy)));
    for (const one of said.fired) if (one.description) box.append(make('p', `${one.row}: ${one.description}`, 'mute small'));
    const table = make('table', '', 'kv');
    table.setAttribute('aria-label', 'What comes out');
    for (const [name, value] of Object.entries(said.outputs)) {
      const row = make('tr');
      const head = make('th', `${said.decision}.${name}`, 'code');
      head.scope = 'row';
      row.append(head, make('td', JSON.stringify(value), 'code'));
      table.append(row);
    }
    box.append(table);
    this.answer.replaceChildren(box);
    this.show(rows);
  }
}

function headline(rows, policy) {
  if (!rows.length) return 'No row answers, the lists are empty';
  if (policy === 'COLLECT') return rows.length === 1 ? `Row ${rows[0]} answers` : `Rows ${rows.join(', ')} answer`;
  return `Row ${rows[0]} answers`;
}

function field(ask, index, value = '') {
  const box = make('div', '', 'field');
  box.dataset.path = ask.path;
  const label = make('label', ask.label);
  label.htmlFor = `ask-${index}`;
  if (ask.label !== ask.path) label.append(' ', make('small', ask.path, 'mute code'));
  const input = ask.kind === 'boolean' ? choice(['true', 'false']) : make('input');
  Object.assign(input, { id: `ask-${index}`, name: ask.path, value, autocomplete: 'off' });
  if (ask.kind === 'number') input.inputMode = 'decimal';
  box.append(label, input);
  if (ask.values.length && input.tagName === 'INPUT') {
    const list = make('datalist');
    list.id = `ask-${index}-values`;
    list.append(...ask.values.map((one) => Object.assign(make('option'), { value: one })));
    input.setAttribute('list', list.id);
    box.append(list, make('p', `Rows name ${ask.values.join(', ')}.`, 'hint'));
  }
  return box;
}

function choice(values) {
  const made = make('select');
  made.append(Object.assign(make('option', 'Choose…'), { value: '' }), ...values.map((one) => make('option', one)));
  return made;
}
