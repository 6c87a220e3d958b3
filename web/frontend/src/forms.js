// The forms of a draft as JSON beside a live preview. The server draws the preview and says what is wrong; what is
// typed into the preview goes nowhere else.
import { DraftFiles, showSaving } from './draft.js';
import { addField, nameOf } from './forms/fields.js';
import { CodeText } from './forms/code_text.js';
import { checked, listFindings } from './forms/findings.js';

const page = document.querySelector('main[data-draft]');
const { draft: id, revision, savedAt, csrf, me, people, preview: address } = page.dataset;
const closed = 'closed' in page.dataset;
const find = (selector) => page.querySelector(selector);
const body = find('#preview-body');
const DRAW = 350; // ms after the last key
const CHECK = 1200;

const editors = Object.fromEntries(
  [...page.querySelectorAll('[data-editor]')].map((box) => [box.dataset.editor, new CodeText(box)]),
);
const files = Object.fromEntries([...page.querySelectorAll('[data-editor]')].map((b) => [b.dataset.editor, b.dataset.file]));

// --- saving ---
const draft = closed ? null : new DraftFiles({
  id, revision: Number(revision), csrf, savedAt, me, people: JSON.parse(people || '{}'),
});
if (draft) {
  for (const [key, editor] of Object.entries(editors)) draft.loaded(files[key], editor.text);
  for (const [name, text] of Object.entries(draft.rescued())) {
    const key = Object.keys(files).find((one) => files[one] === name);
    if (key && text !== null) editors[key].text = text;
  }
  showSaving(draft, { status: find('#saved'), notices: find('#notices') });
  // new, copy and delete are plain forms: what is unsaved goes first, and they name the revision that it made
  page.querySelectorAll('form[method="post"]').forEach((form) => {
    form.addEventListener('submit', async (event) => {
      if (form.dataset.ready) return;
      event.preventDefault();
      event.stopPropagation();
      if (!(await draft.flush())) return;
      form.querySelector('[data-revision]').value = draft.revision;
      form.dataset.ready = 'yes';
      setTimeout(() => form.requestSubmit()); // within the submit event of the same form it would be ignored
    });
  });
}

// --- preview ---
let timer = 0;
let checking = 0;
let running = null;
let sound = false; // both texts are JSON, so they may be formatted and added to
let own = []; // findings on the two texts
let rest = []; // findings on the whole draft with them
let typedYet = false; // something was typed into the preview: keep it when it is drawn again

function typed() {
  const inputs = {};
  for (const [name, value] of new FormData(find('#preview'))) (inputs[name] ||= []).push(String(value));
  return inputs;
}

async function draw(mode, { row = '', focus = false } = {}) {
  clearTimeout(timer);
  running?.abort();
  running = new AbortController();
  const sent = { schema: editors.schema.text, ui: editors.ui.text, mode, row, typed: mode === 'look' ? {} : typed() };
  let answer;
  try {
    const reply = await fetch(address, {
      method: 'POST',
      credentials: 'same-origin',
      headers: { 'Content-Type': 'application/json', 'X-CSRFToken': csrf },
      body: JSON.stringify(sent),
      signal: running.signal,
    });
    if (![200, 422].includes(reply.status)) throw new Error(reply.status === 413 ? 'the form is too large' : `the server answered ${reply.status}`);
    answer = await reply.json();
  } catch (error) {
    if (error.name !== 'AbortError') find('#drawn').textContent = `Not drawn: ${error.message}`;
    return;
  }
  find('#drawn').textContent = '';
  show(answer, focus);
}

function show(answer, focus) {
  if (answer.drawn) body.innerHTML = answer.html;
  body.classList.toggle('old', !answer.drawn);
  if (!answer.drawn) {
    if (!body.querySelector('.taskform')) body.innerHTML = answer.html;
    find('#drawn').textContent = 'The last one that could be drawn';
  }
  if (focus) {
    const start = body.querySelector('[data-focus]');
    (start?.matches('tr') ? start.querySelector('input, select, textarea') : start)?.focus();
  }
  own = answer.findings;
  sound = !own.some((one) => one.rule.startsWith('json-'));
  for (const [key, editor] of Object.entries(editors)) {
    const mine = own.filter((one) => one.file === files[key]);
    editor.mark(mine);
    const stop = mine.find((one) => one.rule.startsWith('json-'));
    editor.say(stop ? `Not JSON: line ${stop.line}, column ${stop.column}` : '', stop);
  }
  list();
}

function list() {
  const ours = Object.values(files);
  const seen = new Set(own.map((one) => `${one.file} ${one.rule} ${one.path}`));
  const more = rest
    .filter((one) => ours.includes(one.file) && !seen.has(`${one.file} ${one.rule} ${one.element}`))
    .filter((one) => !/^(json|form|ui)-/.test(one.rule)) // of the texts themselves, `own` is newer
    .map((one) => ({ ...one, path: one.element, line: one.line ?? 1, column: 1 }));
  const elsewhere = rest.filter((one) => !ours.includes(one.file) && one.severity === 'error').length;
  listFindings(page, { findings: [...own, ...more], elsewhere }, (finding) => {
    const key = Object.keys(files).find((one) => files[one] === finding.file);
    editors[key]?.go(finding.line, finding.column);
  });
}

// What the texts do to the rest of the draft: it takes longer, so it waits for a pause.
async function checkDraft() {
  const ui = editors.ui.text;
  const changed = { [files.schema]: editors.schema.text, [files.ui]: ui.trim() ? ui : null };
  try {
    rest = (await checked(id, csrf, changed)).findings;
  } catch {
    return; // the list says what is known; the next change asks again
  }
  list();
  page.dataset.checked = '';
}

const drawSoon = () => {
  clearTimeout(timer);
  clearTimeout(checking);
  timer = setTimeout(() => draw(typedYet ? 'fill' : 'look'), DRAW);
  checking = setTimeout(checkDraft, CHECK);
};

for (const [key, editor] of Object.entries(editors)) {
  editor.onchange = () => {
    // an empty look is no file; one that was there is removed
    draft?.set(files[key], key === 'ui' && !editor.text.trim() ? null : editor.text);
    drawSoon();
  };
}

const form = find('#preview');
form?.addEventListener('input', () => (typedYet = true));
form?.addEventListener('submit', (event) => {
  event.preventDefault();
  const button = event.submitter;
  typedYet = true;
  if (button?.name === '_add') draw('add', { row: button.value, focus: true });
  else if (button?.name === '_remove') draw('remove', { row: button.value });
  else draw('check', { focus: true });
});
find('#empty')?.addEventListener('click', () => {
  typedYet = false;
  draw('look');
});

// --- help with writing ---
find('#format')?.addEventListener('click', () => {
  if (!sound) return find('#problems').focus();
  for (const editor of Object.values(editors)) {
    if (editor.text.trim()) editor.replace(`${JSON.stringify(JSON.parse(editor.text), null, 2)}\n`);
  }
});

const adding = find('#add-form');
const title = find('#add-title');
const name = find('#add-name');
title?.addEventListener('input', () => {
  if (!name.dataset.own) name.value = nameOf(title.value);
});
name?.addEventListener('input', () => (name.dataset.own = name.value ? 'yes' : ''));
adding?.addEventListener('submit', (event) => {
  event.preventDefault();
  const said = find('#add-said');
  try {
    if (!sound) throw new Error('Mend the JSON first; a field cannot be put into it.');
    const made = addField(editors.schema.text, editors.ui.text, {
      kind: find('#add-kind').value, title: title.value.trim(), name: name.value.trim(),
      required: find('#add-required').checked,
    });
    editors.ui.replace(made.ui);
    editors.schema.replace(made.schema);
    editors.schema.goTo(`"${name.value.trim()}": {`);
    said.hidden = true;
    title.value = name.value = name.dataset.own = '';
  } catch (error) {
    said.textContent = error.message;
    said.hidden = false;
    (name.value ? name : title).focus();
  }
});

draw('look').then(checkDraft);
document.body.dataset.ready = 'forms';
