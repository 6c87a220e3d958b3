// How elements are drawn: as bpmn-js does, with the step's number on its task, and lanes as quiet hairlines.
import BaseRenderer from 'diagram-js/lib/draw/BaseRenderer';
import { append, attr, create } from 'tiny-svg';
import { isA } from './words.js';

const LINE = '#dcdee3';
const MUTE = '#5a606c';

function stepOf(object) {
  const values = object.extensionElements?.values || [];
  const properties = values.find((each) => each.$type === 'spiffworkflow:Properties')?.properties || [];
  return properties.find((each) => each.name === 'step')?.value;
}

function text(parent, words, attributes) {
  const made = create('text');
  attr(made, { fill: MUTE, 'font-size': 11, 'font-family': 'Inter Variable, Inter, sans-serif', ...attributes });
  made.textContent = words;
  append(parent, made);
  return made;
}

class Drawing extends BaseRenderer {
  static $inject = ['eventBus', 'bpmnRenderer'];

  constructor(eventBus, bpmnRenderer) {
    super(eventBus, 1500);
    this.bpmnRenderer = bpmnRenderer;
  }

  canRender(element) {
    if (element.labelTarget || element.waypoints) return false;
    const object = element.businessObject;
    return isA(object, 'Lane') || (isA(object, 'Activity') && Boolean(stepOf(object)));
  }

  drawShape(parent, element) {
    const object = element.businessObject;
    if (isA(object, 'Lane')) return this.#lane(parent, element, object.name);
    const shape = this.bpmnRenderer.drawShape(parent, element);
    text(parent, stepOf(object), { x: 9, y: element.height - 8, class: 'step' }); // events sit at the right
    return shape;
  }

  #lane(parent, element, name) {
    const box = create('rect');
    attr(box, { width: element.width, height: element.height, fill: 'none', stroke: LINE, 'stroke-width': 1.2 });
    append(parent, box);
    text(parent, name || '', { x: 12, y: 20 });
    return box;
  }

  getShapePath(element) {
    return this.bpmnRenderer.getShapePath(element);
  }
}

export default {
  __init__: ['waybillDrawing'],
  waybillDrawing: ['type', Drawing],
};
