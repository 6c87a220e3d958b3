// Where an element is put that is added after another: the next place to the right where nothing is drawn, else below,
// in the same lane. bpmn-js alone looks only at what is connected, and would put it over flows that pass by.
import { getFlowNodePosition } from 'bpmn-js/lib/features/auto-place/BpmnAutoPlaceUtil';
import { isA } from './words.js';

const GAP = 50; // between the two
const STEP = 10;
const FARTHEST = 500;
const ROOM = 14; // around what is there

const meet = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

const around = ({ x, y, width, height }, room) => ({ x: x - room, y: y - room, width: width + 2 * room, height: height + 2 * room });

function segments(points) {
  return points.slice(1).map((to, index) => {
    const from = points[index];
    const [x, y] = [Math.min(from.x, to.x), Math.min(from.y, to.y)];
    return { x, y, width: Math.abs(from.x - to.x), height: Math.abs(from.y - to.y) };
  });
}

class Placing {
  static $inject = ['eventBus', 'elementRegistry', 'canvas'];

  constructor(eventBus, elementRegistry, canvas) {
    Object.assign(this, { registry: elementRegistry, canvas });
    // before bpmn-js' own, which snaps to its grid at 2000
    eventBus.on('autoPlace', 3000, ({ source, shape }) => {
      if (isA(shape.businessObject, 'FlowNode') && !source.waypoints) return this.#free(source, shape);
      return undefined; // notes and data: as bpmn-js does
    });
  }

  #free(source, shape) {
    const { width, height } = shape;
    const onEdge = isA(source.businessObject, 'BoundaryEvent');
    const first = onEdge
      ? getFlowNodePosition(source, shape, true)
      : { x: source.x + source.width + GAP + width / 2, y: source.y + source.height / 2 };
    const { shapes, flows } = this.#drawn(source);
    const lane = this.#laneOf(source);
    const isFree = (box, way) =>
      !shapes.some((each) => meet(around(each, ROOM), box) || (way && meet(each, way))) && !flows.some((each) => meet(each, around(box, ROOM)));
    for (let y = first.y; y === first.y || (lane ? y + height / 2 < lane.y + lane.height : y < first.y + FARTHEST); y += STEP) {
      for (let { x } = first; x < first.x + FARTHEST; x += STEP) {
        const box = { x: x - width / 2, y: y - height / 2, width, height };
        const right = source.x + source.width;
        const way = y === first.y && !onEdge && { x: right + 1, y: y - 1, width: Math.max(0, box.x - right - 2), height: 2 };
        if (isFree(box, way)) return { x, y };
      }
    }
    return undefined;
  }

  // What stands in the way: all that is drawn on the same plane, but for what the source itself lies in.
  #drawn(source) {
    const inside = new Set();
    for (let each = source.parent; each; each = each.parent) inside.add(each);
    const plane = this.canvas.findRoot(source);
    const all = this.registry.filter((each) => each.parent && !inside.has(each) && this.canvas.findRoot(each) === plane);
    return {
      shapes: all.filter((each) => !each.waypoints && each !== source && !isA(each.businessObject, 'Lane', 'Group')),
      flows: all.filter((each) => each.waypoints).flatMap((each) => segments(each.waypoints)),
    };
  }

  #laneOf(source) {
    const middle = { x: source.x + source.width / 2, y: source.y + source.height / 2, width: 1, height: 1 };
    const lanes = this.registry.filter((each) => isA(each.businessObject, 'Lane') && !each.labelTarget && meet(each, middle));
    return lanes.sort((a, b) => a.height - b.height)[0];
  }
}

export default {
  __init__: ['waybillPlacing'],
  waybillPlacing: ['type', Placing],
};
