// The modeler page: a draft's diagrams on the canvas, the panel beside them, the problems below. Joins src/modeler.
import './modeler/styles.css';
import { DraftFiles, showSaving } from './draft.js';
import { fit, fonts, open, overview, scrollTo } from './modeler/canvas.js';
import { Checking } from './modeler/checking.js';
import { ask, byId, closeMenus, menus, tell } from './modeler/dialogs.js';
import { markFindings } from './modeler/marks.js';
import { Mending } from './modeler/mending.js';
import { idFor } from './modeler/naming.js';
import { showProblems } from './modeler/problems.jsx';
import { textOf } from './modeler/reading.js';
import { handOver, isTyping, watchNaming } from './modeler/typing.js';

const boot = JSON.parse(byId('boot').dataset.json);
boot.meaning = (name) => boot.operations.find((each) => each.name === name)?.meaning;
const readOnly = boot.state !== 'open' || matchMedia('(max-width: 700px)').matches;
const EXPORT_PAUSE = 200;
const NO_PICTURE =
  'It holds a process, but not where its elements stand. Save it with its picture in the tool that it comes from and ' +
  'import it again under Files, or draw the process anew in a draft of its own.';
const FORM_NAME = /^[A-Za-z0-9_][\w-]{0,79}$/;

const draft = new DraftFiles({
  id: boot.id, revision: boot.revision, csrf: boot.csrf, savedAt: boot.updatedAt, me: boot.me, people: boot.people,
  now: boot.now,
}); // prettier-ignore
const page = { file: boot.file, modeler: null, panel: null, simulator: null, exported: null, stale: false, broken: false, still: false };

// --- texts: what the canvas shows, as a file ---
async function xmlNow() {
  const { xml } = await page.modeler.saveXML({ format: true });
  return xml;
}

// `all`: a name too that is still being typed on the canvas.
async function exported(all = false) {
  handOver(all);
  clearTimeout(page.exporting);
  if (!page.stale || page.broken) return;
  page.stale = false;
  draft.set(page.file, await xmlNow());
}

function changed() {
  page.stale = true;
  if (!page.broken) draft.touch();
  mending.forget();
  clearTimeout(page.exporting);
  page.exporting = setTimeout(() => exported(), EXPORT_PAUSE);
  checking.changed();
  buttons();
}

draft.collect = exported;
draft.typed = () => (page.stale || isTyping() ? [page.file] : []);
const checking = new Checking(draft, async () => {
  if (!readOnly) await exported();
  return Object.fromEntries(draft.changed);
});

// --- problems ---
const chosen = () => page.modeler?.get('selection', false)?.get()[0]?.id || '';
const mending = new Mending({
  draft, still, taken: mended, onchange: () => problems.update({ missing: mending.missing, mending: mending.words }),
}); // prettier-ignore
const mends = {
  mend: (finding, fix, button) => still(() => mending.one(finding, fix, button)),
  mendAll: (button) => still(() => mending.all(button)),
  showMissing: () => mending.show(),
  hideMissing: () => mending.hide(),
};
const problems = showProblems(byId('problems'), { show, ...(readOnly ? {} : mends) });

checking.onanswer = (state) => {
  problems.update({ state, file: page.file, chosen: chosen() });
  if (state.kind !== 'checked' || !page.modeler) return;
  const here = new Map();
  for (const finding of state.findings) {
    if (finding.file !== page.file || !finding.element) continue;
    here.set(finding.element, [...(here.get(finding.element) || []), finding]);
  }
  markFindings(page.modeler, here, (id) => scrollTo(page.modeler, id));
  page.panel?.findings(here, page.file);
};

async function show(finding) {
  if (finding.file.endsWith('.bpmn') && finding.file !== page.file) await change(finding.file);
  if (finding.file === page.file) {
    scrollTo(page.modeler, finding.element);
    byId('canvas').scrollIntoView({ block: 'nearest' });
    return;
  }
  const name = finding.file.replace(/^\w+\//, '').replace(/(\.ui)?\.json$|\.dmn$/, '');
  const folder = { json: 'forms', dmn: 'decisions' }[finding.file.split('.').pop()];
  if (folder && (await draft.flush())) location.assign(`/modeler/${boot.id}/${folder}/${encodeURIComponent(name)}`);
}

// Nothing can be changed meanwhile: the server changes the same file, and one of the two would be lost.
async function still(work) {
  page.still = true;
  settle();
  try {
    await work();
  } finally {
    page.still = false;
    settle();
  }
}

// Whether canvas and panel can be used.
function settle() {
  for (const place of [byId('canvas'), byId('panel')]) place.inert = page.still || page.broken;
}

async function mended(changedFiles, finding) {
  for (const name of changedFiles) {
    const form = /^forms\/(.+(?<!\.ui)\.json)$/.exec(name)?.[1];
    const text = await draft.text(name);
    draft.loaded(name, text);
    if (!form) continue;
    if (text === null) boot.forms = boot.forms.filter((each) => each.name !== form);
    else if (!boot.forms.some((each) => each.name === form)) boot.forms.push({ name: form, fields: [] });
  }
  await load(page.file, { keep: true });
  if (finding?.file === page.file) scrollTo(page.modeler, finding.element);
}

// --- diagrams ---
// The answer of the check comes later; nobody has to wait for it to begin.
async function load(file, { text = null, keep = false } = {}) {
  const served = await draft.text(file);
  draft.loaded(file, served ?? '');
  const xml = text ?? served ?? '';
  const before = keep && page.modeler.get('canvas').viewbox();
  try {
    const warnings = await open(page.modeler, xml);
    if (before) page.modeler.get('canvas').viewbox(before);
    if (warnings.length && !readOnly) {
      const first = warnings.slice(0, 3).map((each) => each.message.split('\n')[0]).join(' ');
      tell('Part of the file was not understood', `${first} What is saved from here leaves it out.`, 'warn');
    }
    page.broken = false;
  } catch (error) {
    page.broken = true; // what is on the canvas is another file's, and so is what could be undone
    page.modeler.get('commandStack', false)?.clear();
    const isBare = String(error.message).includes('no diagram to display');
    byId('cannot').querySelector('h2').textContent = isBare ? 'This file has no picture' : 'This file cannot be drawn';
    byId('cannot').querySelector('p').textContent = isBare ? NO_PICTURE : String(error.message).split('\n')[0];
  }
  byId('cannot').hidden = !page.broken;
  byId('canvas').style.visibility = page.broken ? 'hidden' : '';
  settle();
  page.file = file;
  page.stale = false;
  buttons();
  checking.now();
}

async function change(file) {
  if (file === page.file) return;
  await exported(true);
  await stopSimulation();
  for (const link of document.querySelectorAll('[data-diagram]')) {
    link.toggleAttribute('aria-current', link.dataset.diagram === file);
    if (link.dataset.diagram === file) byId('diagram-name').textContent = link.textContent;
  }
  history.replaceState(null, '', `?file=${encodeURIComponent(file.replace('processes/', ''))}`);
  await load(file, { text: draft.changed.get(file) ?? null });
}

// Somebody has deployed meanwhile; the analyst has taken over what that changed, and says so.
async function buildOnNewest() {
  const lost = `What version ${boot.newest} changed and this draft does not hold is undone once the draft is deployed.`;
  if (!window.confirm(`Is everything taken over? ${lost}`)) return;
  try {
    if (!(await draft.flush())) throw new Error('The draft is not saved');
    await draft.change('PUT', '/base', { base_version: boot.newest });
    location.reload();
  } catch (error) {
    tell('The draft builds on what it did before', `${error.message}.`, 'bad');
  }
}

function addForm(element) {
  const bare = (typed) => typed.replace(/\.json$/, '');
  const isThere = (name) => boot.forms.some((each) => each.name === `${name}.json`);
  const wrong = (typed) => {
    if (isThere(bare(typed))) return `There is a form ${bare(typed)} already; choose it in the list, or another name.`;
    return FORM_NAME.test(bare(typed)) ? '' : 'A name has letters from a to z, digits, _ and -, no spaces: gift_wrap.';
  };
  const own = idFor(element.businessObject.name || element.businessObject.id, isThere) || '';
  ask('Name of the new form', 'gift_wrap', (typed) => {
    const name = bare(typed);
    const file = `forms/${name}.json`;
    draft.loaded(file, null);
    draft.set(file, `${JSON.stringify(boot.newForm, null, 2)}\n`);
    boot.forms.push({ name: `${name}.json`, fields: Object.keys(boot.newForm.properties) });
    page.modeler.get('extensions').setProperties(element, element.businessObject, { formJsonSchemaFilename: `${name}.json` });
    checking.changed();
  }, own, wrong); // prettier-ignore
}

// --- simulation ---
async function stopSimulation() {
  if (!page.simulator) return;
  const shownBefore = page.simulator;
  page.simulator = null;
  byId('simulation').hidden = true;
  byId('canvas').parentElement.classList.remove('simulating');
  byId('simulate').setAttribute('aria-pressed', 'false');
  shownBefore.destroy();
}

async function toggleSimulation() {
  if (page.simulator) return stopSimulation();
  const { simulate } = await import('./modeler/simulating.js');
  byId('simulation').hidden = false;
  byId('canvas').parentElement.classList.add('simulating');
  byId('simulate').setAttribute('aria-pressed', 'true');
  const { x, y, width, height } = page.modeler.get('canvas').viewbox();
  page.simulator = await simulate(byId('simulation'), await xmlNow(), { x, y, width, height });
  return undefined;
}

// --- files ---
const plainName = () => page.file.replace('processes/', '').replace('.bpmn', '');

async function exportAs(kind) {
  const out = await import('./modeler/exporting.js');
  if (kind === 'bpmn') out.download(`${plainName()}.bpmn`, await xmlNow(), 'application/xml');
  if (kind === 'svg') out.download(`${plainName()}.svg`, await out.svgOf(page.modeler), 'image/svg+xml');
  if (kind === 'png') out.download(`${plainName()}.png`, await out.pngOf(page.modeler));
}

const FOLDERS = { bpmn: 'processes', dmn: 'processes', json: 'forms' };

async function importFiles(files) {
  const taken = [];
  for (const file of files) {
    const folder = FOLDERS[file.name.split('.').pop().toLowerCase()];
    if (!folder) return tell('Nothing was taken over', `${file.name} is neither a diagram, a table nor a form.`, 'bad');
    try {
      taken.push([`${folder}/${file.name}`, await textOf(file)]);
    } catch {
      return tell('Nothing was taken over', `${file.name} cannot be read as text. Save it as UTF-8.`, 'bad');
    }
  }
  const known = new Set(boot.files);
  const replaced = taken.filter(([name]) => known.has(name)).map(([name]) => name);
  const what = `${replaced.join(', ')} ${replaced.length === 1 ? 'is' : 'are'} replaced.`;
  if (replaced.length && !window.confirm(`${what} The draft keeps no copy of what was there. Go on?`)) return undefined;
  await exported(true);
  for (const [name, text] of taken) draft.set(name, text);
  if (await draft.flush()) location.assign(`?file=${encodeURIComponent((taken[0][0].endsWith('.bpmn') ? taken[0][0] : page.file).replace('processes/', ''))}`);
  else tell('Not saved', 'The files could not be saved; look at the message above.', 'bad');
  return undefined;
}

// --- the bar, the canvas' buttons, keys ---
function buttons() {
  const stack = page.modeler?.get('commandStack', false);
  byId('undo').disabled = !stack?.canUndo();
  byId('redo').disabled = !stack?.canRedo();
}

const zoom = (by) => {
  const canvas = (page.simulator || page.modeler).get('canvas');
  canvas.zoom(Math.min(4, Math.max(0.1, canvas.zoom() * by)), 'auto');
};
const acts = {
  undo: () => page.modeler.get('commandStack').undo(),
  redo: () => page.modeler.get('commandStack').redo(),
  simulate: toggleSimulation,
  find: () => page.modeler.get('searchPad', false)?.open(),
  in: () => zoom(1.25),
  out: () => zoom(0.8),
  all: () => fit((page.simulator || page.modeler).get('canvas')),
  start: () => overview(page.modeler.get('canvas')),
  map: () => {
    const minimap = page.modeler.get('minimap');
    minimap.toggle();
    byId('map').setAttribute('aria-pressed', String(minimap.isOpen()));
  },
  keys: () => byId('keys').showModal(),
  rename: () =>
    ask('Title of the draft', 'Gift wrapping', async (title) => {
      try {
        await draft.call('PUT', '/title', { title });
        byId('title').textContent = title;
      } catch (error) {
        tell('The title was not changed', error.message, 'bad');
      }
    }, byId('title').textContent), // prettier-ignore
  rebase: buildOnNewest,
  import: () => byId('import').click(),
  bpmn: () => exportAs('bpmn'),
  svg: () => exportAs('svg'),
  png: () => exportAs('png').catch((error) => tell('There is no picture', error.message, 'bad')),
};

// Whether a link leads away while something is not saved: it is saved first.
const leads = (link) =>
  link.origin === location.origin && !link.target && !link.hasAttribute('download') &&
  !link.getAttribute('href').startsWith('#') && (draft.unsaved || page.stale || isTyping()); // prettier-ignore

function bar() {
  menus();
  document.addEventListener('click', (event) => {
    const button = event.target.closest('[data-act]');
    if (button && !page.still) acts[button.dataset.act]?.();
    const link = event.target.closest('[data-diagram]');
    if (link) {
      event.preventDefault();
      closeMenus();
      change(link.dataset.diagram);
    }
    const leave = event.target.closest('a[href]');
    if (leave && !event.defaultPrevented && !event.ctrlKey && !event.metaKey && leads(leave)) {
      event.preventDefault();
      draft.flush().then((saved) => saved && location.assign(leave.href));
    }
  });
  byId('import').addEventListener('change', (event) => importFiles([...event.target.files]));
  document.addEventListener('keydown', (event) => {
    const key = event.key.toLowerCase();
    if (!(event.ctrlKey || event.metaKey) || page.still || document.querySelector('dialog[open]')) return;
    const typing = event.target.closest('input, textarea, select, [contenteditable]');
    const act = { f: acts.find, s: () => draft.flush(), z: !typing && !event.shiftKey && acts.undo }[key];
    if (!act || event.defaultPrevented) return;
    event.preventDefault();
    act();
  });
}

async function begin() {
  showSaving(draft, { status: byId('saved'), notices: byId('notices') });
  const make = readOnly ? import('./modeler/looking.js') : import('./modeler/editing.js');
  const panel = readOnly ? null : import('./modeler/panel.jsx');
  const [made] = await Promise.all([make, fonts()]);
  page.modeler = (made.makeModeler || made.makeViewer)(byId('canvas'));
  byId('main').classList.toggle('looking', readOnly);
  if (panel) {
    const { showPanel } = await panel;
    page.panel = showPanel({
      place: byId('panel'), modeler: page.modeler, boot, ask, newForm: addForm,
      select: (id) => scrollTo(page.modeler, id),
    }); // prettier-ignore
    page.modeler.on('commandStack.changed', changed);
    watchNaming(page.modeler, { ontouch: () => draft.touch(), onend: () => page.stale || draft.settle() });
    page.modeler.on('selection.changed', () => problems.update({ chosen: chosen() }));
    const { consenting } = await import('./modeler/consent.js');
    consenting({ draft, checking, show });
  }
  bar();
  await load(page.file);
  const kept = readOnly ? {} : draft.rescued();
  if (kept[page.file]) await load(page.file, { text: kept[page.file] });
  if (location.hash.length > 1) scrollTo(page.modeler, decodeURIComponent(location.hash.slice(1)));
  document.documentElement.dataset.ready = 'yes';
}

begin();
