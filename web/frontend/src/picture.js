// What every page that shows a diagram shares: a viewer in the page's colours and font, moving about, zooming.
import 'bpmn-js/dist/assets/diagram-js.css';
import 'bpmn-js/dist/assets/bpmn-js.css';
import Viewer from 'bpmn-js/lib/Viewer';

const colours = {
  defaultFillColor: 'var(--d-fill)',
  defaultStrokeColor: 'var(--d-ink)',
  defaultLabelColor: 'var(--d-ink)',
};

// Draws the diagram at `source.dataset.src` into `source`; null when the server has none.
export async function drawn(source) {
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
  if (!answer.ok) return null;
  await viewer.importXML(await answer.text());
  const canvas = viewer.get('canvas');
  for (const element of viewer.get('elementRegistry').filter((e) => /^bpmn:(Lane|Participant)$/.test(e.type))) {
    canvas.addMarker(element, 'lane');
  }
  return viewer;
}

// A stretch of the diagram around a point, at this scale, without empty space beyond the diagram's edge.
export function lookAt(canvas, centre, scale) {
  const { outer, inner } = canvas.viewbox();
  const width = outer.width / scale;
  const height = outer.height / scale;
  const within = (value, size, from, all) =>
    all <= size ? from - (size - all) / 2 : Math.min(Math.max(value, from - 30), from + all - size + 30);
  canvas.viewbox({
    x: within(centre.x - width / 2, width, inner.x, inner.width),
    y: within(centre.y - height / 2, height, inner.y, inner.height),
    width,
    height,
  });
}

// Dragging and the arrow keys move it.
export function pan(container, canvas) {
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

// The buttons in the corner act on the canvas that `shown()` names.
export function zooming(figure, shown) {
  const act = {
    in: () => shown().zoom(Math.min(3, shown().zoom() * 1.25), 'auto'),
    out: () => shown().zoom(Math.max(0.15, shown().zoom() / 1.25), 'auto'),
    all: () => shown().zoom('fit-viewport', 'auto'),
  };
  for (const button of figure.querySelectorAll('[data-zoom]')) {
    button.addEventListener('click', act[button.dataset.zoom]);
    button.hidden = false;
  }
}

// A badge covers the edge of its element: the upper one, or the lower one where an event or the element's own name
// stands above.
export function free(element, width) {
  const left = element.width / 2 - width / 2;
  const covers = (top) =>
    [...(element.attachers || []), ...(element.labels || [])].some((other) => {
      const x = other.x - element.x;
      const y = other.y - element.y;
      return x < left + width && x + other.width > left && y < top + 20 && y + other.height > top;
    });
  return { top: [-11, element.height - 9].find((top) => !covers(top)) ?? -24, left };
}
