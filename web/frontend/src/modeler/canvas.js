// The canvas: bpmn-js with our palette, drawing and extensions; or, where there is no room to edit, the same to look at.
import { isA } from './words.js';

export const look = {
  bpmnRenderer: { defaultFillColor: '#ffffff', defaultStrokeColor: '#2b2e34', defaultLabelColor: '#2b2e34' },
  textRenderer: {
    defaultStyle: { fontFamily: 'Inter Variable, Inter, sans-serif', fontSize: 12 },
    externalStyle: { fontSize: 10 },
  },
};

const MARGIN = 16;

// Lists that a repetition names are variables, no elements of the diagram: bpmn-js would drop what it cannot find.
export function keepLoopLists(modeler) {
  modeler.on('import.parse.complete', 1500, (event) => {
    for (const { element, property, id } of event.references || []) {
      if (/loopData(Input|Output)Ref$/.test(property)) {
        const made = modeler.get('moddle').create('bpmn:ItemAwareElement', { id });
        made.$parent = element;
        element[property.replace('bpmn:', '')] = made;
      }
    }
    event.warnings = (event.warnings || []).filter((each) => !/loopData(Input|Output)Ref/.test(each.property || ''));
  });
}

export async function fonts() {
  await document.fonts.load('12px "Inter Variable"').catch(() => null);
}

// Shows a file. Returns the warnings of the import; throws with a sentence when it cannot be drawn.
export async function open(modeler, xml) {
  const { warnings } = await modeler.importXML(xml);
  const canvas = modeler.get('canvas');
  for (const pool of modeler.get('elementRegistry').filter((each) => isA(each.businessObject, 'Participant'))) {
    canvas.addMarker(pool, 'lane');
  }
  overview(canvas);
  return warnings;
}

// The whole of it when that is legible, else its beginning at a size at which people can read.
export function overview(canvas) {
  fit(canvas);
  const { inner, outer } = canvas.viewbox();
  if (canvas.zoom() >= 0.7 || outer.width < 500) return;
  const scale = 0.8;
  const width = outer.width / scale;
  const height = outer.height / scale;
  const y = inner.height < height ? inner.y - (height - inner.height) / 2 : inner.y - 30;
  canvas.viewbox({ x: inner.x - (covered(canvas) + MARGIN) / scale, y, width, height });
}

// All of it in the middle of what the palette leaves free.
export function fit(canvas) {
  canvas.zoom('fit-viewport', 'auto');
  const { inner, outer } = canvas.viewbox();
  const left = covered(canvas);
  if (!left || !inner.width || !inner.height) return;
  const room = { width: outer.width - left - 2 * MARGIN, height: outer.height - 2 * MARGIN };
  const scale = Math.min(1, room.width / inner.width, room.height / inner.height);
  const [width, height] = [outer.width / scale, outer.height / scale];
  const x = inner.x - (left + MARGIN + (room.width - inner.width * scale) / 2) / scale;
  canvas.viewbox({ x, y: inner.y - (height - inner.height) / 2, width, height });
}

// How much of the canvas' left side the palette covers.
function covered(canvas) {
  const palette = canvas.getContainer().querySelector('.djs-palette');
  return palette ? palette.offsetLeft + palette.offsetWidth : 0;
}

export function scrollTo(modeler, id) {
  const element = modeler.get('elementRegistry').get(id);
  if (!element) return false;
  const canvas = modeler.get('canvas');
  const root = canvas.findRoot(element);
  if (root && root !== canvas.getRootElement()) canvas.setRootElement(root);
  if (element !== root) {
    if (canvas.zoom() < 0.5) canvas.zoom(0.8);
    canvas.scrollToElement(element, 120);
  }
  modeler.get('selection', false)?.select(element === root ? [] : element);
  return true;
}
