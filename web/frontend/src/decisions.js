// The decision tables of a draft: the table in dmn-js, its problems by the server's check, and a try by the engine.
import { DraftFiles, showSaving } from './draft.js';
import { checked, findingRow, heading } from './forms/findings.js';
import { TableEditor, cellOf, offerPolicies, rowIds, rowPlace, whereIs } from './decisions/table.js';
import { Trying } from './decisions/trying.js';

const page = document.querySelector('main[data-draft]');
const { draft: id, revision, savedAt, csrf, me, people, file, try: tryAddress } = page.dataset;
const find = (selector) => page.querySelector(selector);
const closed = 'closed' in page.dataset;
const phone = matchMedia('(max-width: 700px)').matches; // there the table is read and tried
const CHECK = 600; // ms after the last change

let xml = JSON.parse(find('#xml').textContent);
const draft = closed ? null : new DraftFiles({
  id, revision: Number(revision), csrf, savedAt, me, people: JSON.parse(people || '{}'),
});
if (draft) {
  draft.loaded(file, xml);
  xml = draft.rescued()[file] ?? xml;
  showSaving(draft, { status: find('#saved'), notices: find('#notices') });
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

const sheet = find('#sheet');
const editor = new TableEditor({ container: sheet, readOnly: closed || phone, height: 'auto' });
let dirty = false;
let opened = false;
let timer = 0;

async function current() {
  if (!dirty || !opened) return xml;
  dirty = false;
  xml = (await editor.saveXML({ format: true })).xml;
  draft?.set(file, xml);
  return xml;
}

// --- problems ---
async function check() {
  const text = await current();
  let answer;
  try {
    answer = await checked(id, csrf, { [file]: text });
  } catch (error) {
    find('#problems-title').textContent = `Not checked: ${error.message}`;
    return;
  }
  const own = answer.findings.filter((one) => one.file === file);
  const others = answer.findings.filter((one) => one.file !== file && one.severity === 'error').length;
  find('#problems-title').textContent = heading(own);
  find('#findings').replaceChildren(
    ...own.map((one) => findingRow(one, whereIs(definitions(), one.element), `line ${one.line ?? 1}`, choose)),
  );
  sheet.querySelectorAll('.faulty').forEach((one) => one.classList.remove('faulty'));
  for (const one of own) cellNode(one)?.classList.add('faulty');
  find('#elsewhere').textContent = others
    ? `${others} problem${others === 1 ? '' : 's'} in other files of the draft; the diagram’s page lists them.`
    : '';
}

const definitions = () => (opened ? editor.getDefinitions() : null);

function cellNode(finding) {
  const cell = cellOf(definitions(), finding.element);
  return cell && sheet.querySelector(`[data-element-id="${CSS.escape(cell)}"], th[data-col-id="${CSS.escape(cell)}"]`);
}

function choose(finding) {
  const node = cellNode(finding);
  node?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  if (node?.matches('[data-element-id]') && !closed && !phone) {
    editor.getActiveViewer().get('cellSelection').selectCell(node.dataset.elementId);
  } else sheet.focus();
}

// --- trying ---
function showRows(rows) {
  const ids = rowIds(definitions());
  sheet.querySelectorAll('.fired').forEach((one) => one.classList.remove('fired'));
  for (const row of rows) {
    sheet.querySelectorAll(`[data-row-id="${CSS.escape(ids[row - 1])}"]`).forEach((one) => one.classList.add('fired'));
  }
}

const trying = new Trying({
  form: find('#try'), asks: find('#asks'), answer: find('#answer'), address: tryAddress, csrf, xml: current, show: showRows,
});

function changed() {
  dirty = true;
  clearTimeout(timer);
  timer = setTimeout(async () => {
    await current();
    await Promise.all([check(), trying.changed()]);
  }, CHECK);
}

// --- the table ---
function join() {
  const viewer = editor.getActiveViewer();
  sheet.querySelector('.tjs-table-container')?.setAttribute('tabindex', '0'); // it scrolls, also by the keyboard
  const numbers = document.createElement('span'); // the head of the column of row numbers is empty
  numbers.className = 'sr';
  numbers.textContent = 'Row';
  sheet.querySelector('th.index-column')?.append(numbers);
  if (closed || phone) return;
  find('#table-tools').hidden = false;
  viewer.on('commandStack.changed', changed);
  const modeling = viewer.get('modeling');
  const stack = viewer.get('commandStack');
  const acts = {
    row: () => modeling.addRow({ type: 'dmn:DecisionRule' }, rowPlace(editor.getDefinitions())),
    input: () => viewer.get('editorActions').trigger('addInput'),
    output: () => viewer.get('editorActions').trigger('addOutput'),
    remove: () => viewer.get('editorActions').trigger('removeRule'),
    undo: () => stack.canUndo() && stack.undo(),
    redo: () => stack.canRedo() && stack.redo(),
  };
  find('#table-tools').addEventListener('click', (event) => acts[event.target.closest('[data-act]')?.dataset.act]?.());
}

async function start() {
  offerPolicies(xml);
  try {
    await editor.importXML(xml);
    opened = true;
    join();
  } catch (error) {
    const said = document.createElement('p');
    said.className = 'mute cannot';
    said.textContent = error.message.includes('displayable')
      ? 'This file holds no decision table, so there is nothing to draw.'
      : `The table cannot be drawn: ${error.message.split('\n')[0]}`;
    sheet.replaceChildren(said);
  }
  if (draft) draft.collect = async () => void (await current());
  check(); // takes longer, and nothing waits for it
  await trying.changed();
  document.body.dataset.ready = 'decisions';
}

start();
