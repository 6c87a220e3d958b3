// Shows what changed between two versions: added green, changed amber, and what was removed as a red ghost, drawn into
// the new diagram from the old one. A button shows the old diagram at the same place.
import { drawn, free, lookAt, pan, zooming } from './picture.js';

const SVG = 'http://www.w3.org/2000/svg';
const stroke = { added: 'var(--good)', changed: 'var(--warn)', removed: 'var(--bad)' };
const widths = { added: 42, changed: 54, removed: 56 };

function made(name, attributes, parent) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent?.appendChild(node);
  return node;
}

// A word on the edge of an element; part of the picture, so that it grows and moves with it.
function badge(layer, element, mark) {
  const width = widths[mark];
  const lane = /^bpmn:(Lane|Participant)$/.test(element.type);
  const { top, left } = lane ? { top: 4, left: 34 } : free(element, width);
  const group = made('g', { class: `mark m-${mark}`, transform: `translate(${element.x + left} ${element.y + top})` }, layer);
  made('rect', { x: 0, y: 1, width, height: 18, rx: 9 }, group);
  made('text', { x: width / 2, y: 13.6 }, group).textContent = mark;
}

// The colour of a flow and of its arrow; a style alone would leave the arrow's head as it was.
function colour(viewer, element, mark) {
  element.di.set('bioc:stroke', stroke[mark]);
  const graphics = viewer.get('elementRegistry').getGraphics(element);
  viewer.get('graphicsFactory').update('connection', element, graphics);
}

function mark(viewer, marks, wanted) {
  const canvas = viewer.get('canvas');
  const registry = viewer.get('elementRegistry');
  const layer = canvas.getLayer('marks', 5);
  const found = [];
  for (const [id, kind] of Object.entries(marks)) {
    const element = registry.get(id);
    if (!element || !wanted.includes(kind)) continue;
    found.push(element);
    if (element.waypoints) colour(viewer, element, kind);
    canvas.addMarker(element, kind);
    if (!element.waypoints && !element.isFrame) badge(layer, element, kind);
  }
  return found;
}

// What only the old diagram has, copied from its picture into the new one. Its arrows stay defined in the old picture.
function ghosts(was, now, marks) {
  const layer = now.get('canvas').getLayer('ghosts', 1);
  const old = was.get('elementRegistry');
  const found = [];
  for (const [id, kind] of Object.entries(marks)) {
    const element = old.get(id);
    if (kind !== 'removed' || !element) continue;
    found.push(element);
    for (const part of [element, ...(element.labels || [])]) {
      const graphics = old.getGraphics(part);
      const copy = made('g', { class: graphics.getAttribute('class') }, layer);
      copy.classList.add('removed', 'ghost');
      const at = graphics.getAttribute('transform');
      if (at) copy.setAttribute('transform', at);
      copy.appendChild(graphics.querySelector('.djs-visual').cloneNode(true));
    }
    if (!element.waypoints) badge(layer, element, 'removed');
  }
  return found;
}

const box = (element) => {
  const points = element.waypoints || [
    { x: element.x, y: element.y },
    { x: element.x + element.width, y: element.y + element.height },
  ];
  const xs = points.map((point) => point.x);
  const ys = points.map((point) => point.y);
  return { left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys) };
};

const scaleOf = (area, { outer }) =>
  Math.min((outer.width - 60) / (area.right - area.left + 1), (outer.height - 110) / (area.bottom - area.top + 1), 1);
const middle = (area) => ({ x: (area.left + area.right) / 2, y: (area.top + area.bottom) / 2 });

// Where an element is looked for. A flow that is too long to be read at once is shown where it begins: the middle of a
// bent one may lie far from its line.
function placed(element, canvas, least) {
  const whole = box(element);
  if (!element.waypoints || scaleOf(whole, canvas.viewbox()) >= least) return whole;
  return box({ waypoints: element.waypoints.slice(0, 1) });
}

// As many of the changed elements as can be read at once, from the first one on, their flows last: a long flow would
// draw the picture away from the task that it leads to. All of the diagram without any.
function look(canvas, elements) {
  canvas.zoom('fit-viewport', 'auto');
  const shown = elements.filter((element) => !/^bpmn:(Lane|Participant|Process)$/.test(element.type));
  if (!shown.length) return;
  shown.sort((a, b) => Boolean(a.waypoints) - Boolean(b.waypoints));
  const view = canvas.viewbox();
  const least = view.outer.width < 600 ? 0.6 : 0.75;
  let area = placed(shown[0], canvas, least);
  for (const element of shown.slice(1)) {
    const next = box(element);
    const both = {
      left: Math.min(area.left, next.left), right: Math.max(area.right, next.right),
      top: Math.min(area.top, next.top), bottom: Math.max(area.bottom, next.bottom),
    };
    if (scaleOf(both, view) >= least) area = both;
  }
  lookAt(canvas, middle(area), Math.max(least, scaleOf(area, view)));
}

// Shows the other version at the same place; what is behind takes neither keys nor clicks.
function toggling(figure, sources, viewers, state) {
  const button = figure.querySelector('[data-toggle]');
  if (!button || !viewers.was || !viewers.now) return;
  button.hidden = false;
  button.addEventListener('click', () => {
    const from = state.shown;
    state.shown = from === 'now' ? 'was' : 'now';
    const view = viewers[from].get('canvas').viewbox();
    viewers[state.shown].get('canvas').viewbox({ x: view.x, y: view.y, width: view.width, height: view.height });
    sources[from].inert = true;
    sources[state.shown].inert = false;
    button.setAttribute('aria-pressed', String(state.shown === 'was'));
  });
}

// A name in the table shows its element in the picture.
function showing(figure, viewers, state) {
  const find = (id) => viewers[state.shown].get('elementRegistry').get(id)
    || (state.shown === 'now' && viewers.was?.get('elementRegistry').get(id));
  for (const link of document.querySelectorAll('[data-show]')) {
    const element = find(link.dataset.show);
    if (!element) continue;
    link.setAttribute('href', `#${figure.id}`);
    link.addEventListener('click', () => {
      const canvas = viewers[state.shown].get('canvas');
      const scale = Math.max(canvas.zoom(), 0.75);
      lookAt(canvas, middle(placed(find(link.dataset.show) || element, canvas, scale)), scale);
    });
  }
}

async function show(figure) {
  const marks = JSON.parse(figure.dataset.diff);
  const sources = { was: figure.querySelector('.canvas.was'), now: figure.querySelector('.canvas.now') };
  const viewers = {};
  for (const side of ['was', 'now']) if (sources[side]) viewers[side] = await drawn(sources[side]);
  const state = { shown: viewers.now ? 'now' : 'was' };
  const found = viewers.now ? mark(viewers.now, marks, ['added', 'changed']) : [];
  if (viewers.was) {
    const removed = viewers.now ? ghosts(viewers.was, viewers.now, marks) : [];
    found.push(...removed);
    const old = mark(viewers.was, marks, ['removed', 'changed']);
    if (!viewers.now) found.push(...old);
  }
  if (!viewers[state.shown]) return;
  const order = ['added', 'removed', 'changed'];
  found.sort((a, b) => order.indexOf(marks[a.id]) - order.indexOf(marks[b.id]));
  look(viewers[state.shown].get('canvas'), found);
  for (const side of ['was', 'now']) if (viewers[side]) pan(sources[side], viewers[side].get('canvas'));
  zooming(figure, () => viewers[state.shown].get('canvas'));
  toggling(figure, sources, viewers, state);
  showing(figure, viewers, state);
  figure.dataset.ready = 'yes';
}

for (const figure of document.querySelectorAll('figure.diagram[data-diff]')) show(figure);
