// Shows a diagram with where an order stands on it: done with a tick, here with "now", failed with a cross.
import { drawn, free, lookAt, pan, zooming } from './picture.js';
import { _ } from './texts.js';

const now = _('now');
const badges = {
  done: '<svg class="mark m-done" width="20" height="20" viewBox="0 0 20 20"><circle cx="10" cy="10" r="9"/><path d="M6.4 10.2l2.6 2.7 4.8-5.4"/></svg>',
  failed: '<svg class="mark m-failed" width="20" height="20" viewBox="0 0 20 20"><circle cx="10" cy="10" r="9"/><path d="M7 7l6 6m0-6l-6 6"/></svg>',
  here: `<svg class="mark m-here" width="34" height="20" viewBox="0 0 34 20"><rect x="1" y="1" width="32" height="18" rx="9"/><text x="17" y="13.6">${now}</text></svg>`,
};

function place(overlays, element, mark) {
  if (mark === 'done' && /Gateway$/.test(element.type)) return; // its colour says it; a tick would hide its label
  const small = element.width < 60;
  const position =
    mark === 'here' ? free(element, 34) : { top: small ? -12 : -10, left: element.width - (small ? 8 : 12) };
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
  const centre = { x: element.x + element.width / 2, y: element.y + element.height / 2 };
  lookAt(canvas, centre, canvas.viewbox().outer.width < 600 ? 0.7 : 0.85);
}

async function show(figure) {
  const source = figure.querySelector('.canvas');
  const read = () => JSON.parse(document.getElementById(source.dataset.marks)?.dataset.json || '{}');
  const viewer = await drawn(source);
  if (!viewer) return;
  let marks = read();
  draw(viewer, marks, {});
  look(viewer, marks);
  pan(source, viewer.get('canvas'));
  zooming(figure, () => viewer.get('canvas'));
  document.addEventListener('htmx:after:swap', () => {
    const found = read();
    if (JSON.stringify(found) !== JSON.stringify(marks)) {
      draw(viewer, found, marks);
      marks = found;
    }
  });
  figure.dataset.ready = 'yes';
}

const shown = new WeakSet();
function showAll() {
  for (const figure of document.querySelectorAll('figure.diagram:not([data-diff])')) {
    if (shown.has(figure)) continue;
    shown.add(figure);
    show(figure);
  }
}
showAll();
document.addEventListener('htmx:after:swap', showAll);
