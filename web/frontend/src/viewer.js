// Shows a diagram with where an order stands on it: done with a tick, here with "now", failed with a cross.
import 'bpmn-js/dist/assets/diagram-js.css';
import 'bpmn-js/dist/assets/bpmn-js.css';
import Viewer from 'bpmn-js/lib/Viewer';

const colours = {
  defaultFillColor: 'var(--d-fill)',
  defaultStrokeColor: 'var(--d-ink)',
  defaultLabelColor: 'var(--d-ink)',
};

const badges = {
  done: '<svg class="mark m-done" width="20" height="20" viewBox="0 0 20 20"><circle cx="10" cy="10" r="9"/><path d="M6.4 10.2l2.6 2.7 4.8-5.4"/></svg>',
  failed: '<svg class="mark m-failed" width="20" height="20" viewBox="0 0 20 20"><circle cx="10" cy="10" r="9"/><path d="M7 7l6 6m0-6l-6 6"/></svg>',
  here: '<svg class="mark m-here" width="34" height="20" viewBox="0 0 34 20"><rect x="1" y="1" width="32" height="18" rx="9"/><text x="17" y="13.6">now</text></svg>',
};

// "now" stands on the upper edge, or on the lower one where an event is attached above: it must hide no timer.
function now(element) {
  const left = element.width / 2 - 17;
  const covers = (top) =>
    (element.attachers || []).some((event) => {
      const x = event.x - element.x;
      const y = event.y - element.y;
      return x < left + 34 && x + event.width > left && y < top + 20 && y + event.height > top;
    });
  return { top: [-11, element.height - 9].find((top) => !covers(top)) ?? -24, left };
}

function place(overlays, element, mark) {
  if (mark === 'done' && /Gateway$/.test(element.type)) return; // its colour says it; a tick would hide its label
  const small = element.width < 60;
  const position =
    mark === 'here' ? now(element) : { top: small ? -12 : -10, left: element.width - (small ? 8 : 12) };
  overlays.add(element.id, 'mark', { position, html: badges[mark] });
}

function draw(viewer, marks, before) {
  const canvas = viewer.get('canvas');
  const overlays = viewer.get('overlays');
  const registry = viewer.get('elementRegistry');
  overlays.remove({ type: 'mark' });
  for (const [id, mark] of Object.entries(before)) if (registry.get(id)) canvas.removeMarker(id, mark);
  for (const [id, mark] of Object.entries(marks)) {
    const element = registry.get(id);
    if (!element) continue;
    canvas.addMarker(id, mark);
    if (!element.waypoints) place(overlays, element, mark);
  }
}

// The stretch of the diagram to look at first: around "now", legible; the whole of it when nothing is going on.
function look(viewer, marks) {
  const canvas = viewer.get('canvas');
  const registry = viewer.get('elementRegistry');
  const at = (mark) => Object.keys(marks).filter((id) => marks[id] === mark && registry.get(id));
  const element = registry.get([...at('here'), ...at('failed')][0]);
  canvas.zoom('fit-viewport', 'auto');
  if (!element || canvas.zoom() > 0.75) return;
  const { outer } = canvas.viewbox();
  const scale = outer.width < 600 ? 0.7 : 0.85;
  const width = outer.width / scale;
  const height = outer.height / scale;
  const x = element.x + element.width / 2 - width / 2;
  const y = element.y + element.height / 2 - height / 2;
  const inner = canvas.viewbox().inner;
  const within = (value, size, from, all) =>
    all <= size ? from - (size - all) / 2 : Math.min(Math.max(value, from - 30), from + all - size + 30);
  canvas.viewbox({
    x: within(x, width, inner.x, inner.width),
    y: within(y, height, inner.y, inner.height),
    width,
    height,
  });
}

function pan(container, canvas) {
  let from = null;
  container.addEventListener('pointerdown', (event) => {
    if (event.button === 0 && !event.target.closest('a, button')) from = [event.clientX, event.clientY];
  });
  window.addEventListener('pointermove', (event) => {
    if (!from) return;
    canvas.scroll({ dx: event.clientX - from[0], dy: event.clientY - from[1] });
    from = [event.clientX, event.clientY];
  });
  for (const end of ['pointerup', 'pointercancel']) window.addEventListener(end, () => (from = null));
  container.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
    if (!step) return;
    event.preventDefault();
    canvas.scroll({ dx: step[0], dy: step[1] });
  });
}

async function show(figure) {
  const source = figure.querySelector('.canvas');
  const read = () => JSON.parse(document.getElementById(source.dataset.marks)?.dataset.json || '{}');
  const fontFamily = getComputedStyle(document.body).fontFamily;
  const viewer = new Viewer({
    container: source,
    bpmnRenderer: colours,
    textRenderer: { defaultStyle: { fontFamily, fontSize: 12 }, externalStyle: { fontSize: 10 } },
  });
  // labels are laid out by measuring them, so the font must be there first
  const [answer] = await Promise.all([
    fetch(source.dataset.src, { credentials: 'same-origin' }),
    document.fonts.load(`12px ${fontFamily}`).catch(() => null),
  ]);
  if (!answer.ok) return;
  await viewer.importXML(await answer.text());
  const canvas = viewer.get('canvas');
  for (const element of viewer.get('elementRegistry').filter((e) => /^bpmn:(Lane|Participant)$/.test(e.type))) {
    canvas.addMarker(element, 'lane');
  }
  let marks = read();
  draw(viewer, marks, {});
  look(viewer, marks);
  pan(source, canvas);
  const act = {
    in: () => canvas.zoom(Math.min(3, canvas.zoom() * 1.25), 'auto'),
    out: () => canvas.zoom(Math.max(0.15, canvas.zoom() / 1.25), 'auto'),
    all: () => canvas.zoom('fit-viewport', 'auto'),
  };
  for (const button of figure.querySelectorAll('[data-zoom]')) {
    button.addEventListener('click', act[button.dataset.zoom]);
    button.hidden = false;
  }
  document.addEventListener('htmx:after:swap', () => {
    const now = read();
    if (JSON.stringify(now) !== JSON.stringify(marks)) {
      draw(viewer, now, marks);
      marks = now;
    }
  });
  figure.dataset.ready = 'yes';
}

const shown = new WeakSet();
function showAll() {
  for (const figure of document.querySelectorAll('figure.diagram')) {
    if (shown.has(figure)) continue;
    shown.add(figure);
    show(figure);
  }
}
showAll();
document.addEventListener('htmx:after:swap', showAll);
