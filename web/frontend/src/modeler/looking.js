// bpmn-js to look at: on a phone, and while a draft waits for consent.
import NavigatedViewer from 'bpmn-js/lib/NavigatedViewer';
import { look } from './canvas.js';
import drawing from './drawing.js';
import moddle from './moddle.json';

export function makeViewer(container) {
  return new NavigatedViewer({
    ...look,
    container,
    additionalModules: [drawing],
    moddleExtensions: { spiffworkflow: moddle },
  });
}
