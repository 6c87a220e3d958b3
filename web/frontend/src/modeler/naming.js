// An element that is named for the first time gets an id that people can read: "Gift wrap" becomes gift_wrap. What its
// form gives is read under this id, so it should say something. An id that somebody chose stays.
import CommandInterceptor from 'diagram-js/lib/command/CommandInterceptor';
import { isA } from './words.js';

const MADE_UP = /^(Activity|Gateway|Event|Process|Participant|Lane)_[0-9a-z]{7}$/;
const LONGEST = 40;

export function idFor(name, taken) {
  const plain = name.normalize('NFKD').toLowerCase().replace(/[^a-z0-9]+/g, '_').replace(/^[^a-z]+|_+$/g, '');
  const base = plain.slice(0, LONGEST).replace(/_+$/, '');
  if (!base) return null;
  for (let n = 1; ; n += 1) {
    const id = n === 1 ? base : `${base}_${n}`;
    if (!taken(id)) return id;
  }
}

class Naming extends CommandInterceptor {
  static $inject = ['eventBus', 'modeling', 'elementRegistry'];

  constructor(eventBus, modeling, elementRegistry) {
    super(eventBus);
    this.postExecuted('element.updateLabel', ({ context }) => {
      const element = context.element.labelTarget || context.element;
      const object = element.businessObject;
      if (!isA(object, 'FlowNode') || !MADE_UP.test(object.id) || !object.name) return;
      const id = idFor(object.name, (each) => elementRegistry.get(each));
      if (id) modeling.updateProperties(element, { id });
    });
  }
}

export default {
  __init__: ['waybillNaming'],
  waybillNaming: ['type', Naming],
};
