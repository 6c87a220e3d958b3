// Counts scanned pieces in the rows of a form: each scan adds one to its row, a wrong piece is refused and said so.
// The rows stay what is sent, and the server checks them as ever; without this script they are filled in by hand.
import { isOn, sound, turn } from './sound.js';
import { onScan } from './scan.js';
import { _ } from './texts.js';

const panel = document.querySelector('form[data-scan-url] [data-counter]');
const form = panel?.closest('form');
const plain = (text) => text.trim().replace(/^\][A-Za-z][0-9A-Za-z]/, '').replace(/[\x00-\x1f\x7f]/g, '').trim();
const bubbling = (name) => new Event(name, { bubbles: true });

function counter() {
  const { rows: pointer, code: codeField, count: countField, group: groupField } = panel.dataset;
  const part = (name) => panel.querySelector(`[data-${name}]`);
  const lines = [...panel.querySelectorAll('li[data-piece]')].map((item) => ({ item, code: item.dataset.piece, wanted: Number(item.dataset.wanted), label: item.children[1].textContent }));
  const field = (row, name) => row.querySelector(`[name^="${pointer}/"][name$="/${name}"]`);
  const body = panel.parentElement.querySelector('table.array tbody');
  const rows = () => [...body.querySelectorAll('tr')].filter((row) => field(row, countField));
  const number = (row) => Number.parseInt(field(row, countField).value, 10) || 0;
  const have = (code) => rows().filter((row) => field(row, codeField).value === code).reduce((sum, row) => sum + number(row), 0);
  const sample = JSON.parse(panel.dataset.sample);
  const mark = `waybill-counting:${location.pathname}`;
  const complete = () => lines.every((line) => have(line.code) === line.wanted);
  const counts = () => JSON.stringify(lines.map((line) => have(line.code)));
  // rows that are not complete are being counted; complete ones are a proposal, unless they were counted here so far
  let counting = !complete() || sessionStorage.getItem(mark) === counts();

  function into() {
    const select = part('into');
    if (!select) return '';
    const parcels = new Set([...form.querySelectorAll('[name^="/parcels/"]')].map((input) => input.name.split('/')[2])).size;
    const most = Math.max(1, parcels, ...rows().map((row) => Number(field(row, groupField)?.value) || 0));
    for (let n = select.options.length + 1; n <= most; n += 1) select.add(new Option(String(n), String(n)));
    return select.value;
  }

  function show() {
    for (const { item, code, wanted } of lines) {
      const count = counting ? have(code) : 0;
      const done = counting && count === wanted;
      item.querySelector('[data-have]').textContent = count;
      item.querySelector('[data-open]').hidden = done;
      item.querySelector('[data-done]').hidden = !done;
      item.querySelector('[data-word]').textContent = done ? _('Done') : counting && count > wanted ? _('Too many') : '';
      item.classList.toggle('done', done);
    }
    part('by-hand').hidden = !counting;
    into();
  }

  function begin() {
    if (counting) return;
    counting = true;
    for (const row of rows()) field(row, countField).value = '';
  }

  /** The row that a piece goes to: of its code and parcel, else one that is still empty, else a new one. */
  function rowFor(code, group) {
    const same = rows().filter((row) => field(row, codeField).value === code);
    if (!groupField) {
      const wanted = sample.filter((one) => one.code === code);
      return same.find((row, at) => number(row) < (wanted[at]?.count ?? 0)) ?? same.at(-1) ?? added(code, group);
    }
    const there = same.find((row) => field(row, groupField).value === group);
    const empty = there ?? same.find((row) => !number(row));
    const row = empty ?? added(code, group);
    field(row, groupField).value = group;
    return row;
  }

  function added(code, group) {
    const last = rows().at(-1);
    const at = Math.max(...rows().map((row) => Number(field(row, countField).name.split('/').at(-2)))) + 1;
    const row = last.cloneNode(true);
    const old = field(last, countField).name.split('/').at(-2);
    for (const element of row.querySelectorAll('[name], [id], [aria-label], [value]')) {
      for (const name of ['name', 'id', 'value']) {
        const text = element.getAttribute(name);
        if (text?.startsWith(`${pointer}/${old}`) || text?.startsWith(`f${pointer.replaceAll('/', '-')}-${old}`)) {
          element.setAttribute(name, text.replace(new RegExp(`([/-])${old}(?=[/-]|$)`), `$1${at}`));
        }
      }
    }
    const title = row.querySelector('th[scope="row"]');
    const [was, is] = [title.textContent, title.textContent.replace(/\d+$/, String(rows().length + 1))];
    title.textContent = is;
    for (const element of row.querySelectorAll('[aria-label]')) element.setAttribute('aria-label', element.getAttribute('aria-label').replace(was, is));
    body.append(row);
    field(row, codeField).value = code;
    if (groupField) field(row, groupField).value = group;
    field(row, countField).value = '';
    return row;
  }

  function refuse(text) {
    const wrong = part('wrong');
    wrong.setAttribute('role', 'alert'); // only now: a page without a refused piece has no alert
    wrong.hidden = false;
    wrong.querySelector('p').textContent = '';
    wrong.querySelector('p').textContent = text;
    wrong.scrollIntoView({ block: 'nearest' });
    sound();
  }

  async function ask(code) {
    const sent = new FormData();
    sent.set('csrf_token', form.querySelector('[name="csrf_token"]').value);
    sent.set('code', code);
    try {
      const answer = await fetch(form.dataset.scanUrl, { method: 'POST', body: sent, headers: { Accept: 'application/json' } });
      const said = await answer.json();
      if (said.go) location.assign(said.go);
      else if (said.says) part('says').textContent = said.says;
      else refuse(said.wrong);
    } catch {
      refuse(_('“%(code)s” was not counted: the server could not be asked what it is. Scan it again.', { code }));
    }
  }

  function said({ code, wanted, label }) {
    const values = { product: label, count: have(code), wanted };
    if (complete()) return _('%(product)s: %(count)s of %(wanted)s. Everything is counted.', values);
    if (values.count === wanted) return _('%(product)s: %(count)s of %(wanted)s, done.', values);
    return _('%(product)s: %(count)s of %(wanted)s.', values);
  }

  function count(text) {
    const code = plain(text);
    if (!code) return;
    part('wrong').hidden = true;
    const line = lines.find((one) => one.code === code) ?? lines.find((one) => one.code.toLowerCase() === code.toLowerCase());
    if (!line || (counting && have(line.code) >= line.wanted)) {
      ask(code);
      return;
    }
    begin();
    const input = field(rowFor(line.code, into()), countField);
    input.value = String((Number.parseInt(input.value, 10) || 0) + 1);
    for (const name of ['input', 'change']) input.dispatchEvent(bubbling(name));
    if (have(line.code) === line.wanted) {
      // a row that was proposed and got nothing would be sent without a quantity
      for (const row of rows()) if (field(row, codeField).value === line.code && !number(row)) row.remove();
    }
    sessionStorage.setItem(mark, counts());
    show();
    part('says').textContent = said(line);
  }

  panel.hidden = false;
  part('sound').checked = isOn();
  part('sound').addEventListener('change', (event) => turn(event.target.checked));
  const typed = part('typed');
  typed.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter') return;
    event.preventDefault(); // in a form, Enter would complete the task
    count(typed.value);
    typed.value = '';
  });
  part('by-hand').addEventListener('click', () => {
    counting = false;
    sessionStorage.removeItem(mark);
    sample.forEach((one, at) => {
      const row = rows()[at] ?? added(one.code, one.group);
      for (const [name, value] of [[codeField, one.code], [countField, one.count], [groupField, one.group]]) {
        if (name) field(row, name).value = String(value);
      }
    });
    for (const row of rows().slice(sample.length)) row.remove();
    form.dispatchEvent(bubbling('input'));
    part('wrong').hidden = true;
    part('says').textContent = _('The quantities are the proposed ones again.');
    show();
    typed.focus();
  });
  form.addEventListener('input', () => { if (counting) show(); });
  onScan((text) => { count(text); return true; });
  // the scan box of the page counts here as well: what it opens is asked of the server by the same rule
  for (const box of document.querySelectorAll('form[data-scan]')) {
    box.addEventListener('submit', (event) => {
      event.preventDefault();
      count(box.elements.code.value);
      box.elements.code.value = '';
    });
  }
  show();
}

if (panel) counter();
