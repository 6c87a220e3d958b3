// Token simulation: the diagram as it is now, in a viewer of its own over the canvas. Loaded when it is first asked for.
import NavigatedViewer from 'bpmn-js/lib/NavigatedViewer';
import simulation from 'bpmn-js-token-simulation/lib/viewer';
import { look, open } from './canvas.js';
import drawing from './drawing.js';
import moddle from './moddle.json';

export async function simulate(container, xml, viewbox) {
  const viewer = new NavigatedViewer({
    ...look,
    container,
    additionalModules: [drawing, simulation],
    moddleExtensions: { spiffworkflow: moddle },
  });
  await open(viewer, xml);
  if (viewbox) viewer.get('canvas').viewbox(viewbox);
  viewer.get('toggleMode').toggleMode(true);
  return viewer;
}
