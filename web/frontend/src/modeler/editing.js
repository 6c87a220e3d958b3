// bpmn-js as an editor. Loaded only where there is room for it.
import Modeler from 'bpmn-js/lib/Modeler';
import { CreateAppendAnythingModule as adding } from 'bpmn-js-create-append-anything';
import minimap from 'diagram-js-minimap';
import { keepLoopLists, look } from './canvas.js';
import drawing from './drawing.js';
import extensions from './extensions.js';
import moddle from './moddle.json';
import naming from './naming.js';
import palette from './palette.js';
import placing from './placing.js';

export function makeModeler(container) {
  const modeler = new Modeler({
    ...look,
    container,
    additionalModules: [extensions, drawing, adding, naming, palette, placing, minimap],
    moddleExtensions: { spiffworkflow: moddle },
  });
  keepLoopLists(modeler);
  return modeler;
}
