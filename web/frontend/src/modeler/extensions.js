// Reads and writes what the engine reads of an element: every change goes through the command stack, so undo knows it.

const SPIFF = 'spiffworkflow:';

// A command that is made of others: one step to undo.
class Together {
  preExecute(context) {
    context.work();
  }
}

export const togetherModule = {
  __init__: [
    ['commandStack', (commandStack) => commandStack.registerHandler('waybill.together', Together)],
  ],
};

export const business = (element) => element?.businessObject;

// The object that bears the properties of what is shown: of a pool, that is its process.
export function bearer(element) {
  const object = business(element);
  return object?.$type === 'bpmn:Participant' && object.processRef ? object.processRef : object;
}

export class Extensions {
  static $inject = ['modeling', 'bpmnFactory', 'commandStack', 'canvas'];

  constructor(modeling, bpmnFactory, commandStack, canvas) {
    Object.assign(this, { modeling, bpmnFactory, commandStack, canvas });
  }

  together(work) {
    this.commandStack.execute('waybill.together', { work });
  }

  create(type, values, parent) {
    const made = this.bpmnFactory.create(type, values);
    made.$parent = parent;
    return made;
  }

  update(element, object, values) {
    this.modeling.updateModdleProperties(element, object, values);
  }

  find(object, name) {
    return object?.extensionElements?.values?.find((each) => each.$type === SPIFF + name);
  }

  ensure(element, object, name, values = {}) {
    let holder = object.extensionElements;
    if (!holder) {
      holder = this.create('bpmn:ExtensionElements', { values: [] }, object);
      this.update(element, object, { extensionElements: holder });
    }
    let found = this.find(object, name);
    if (!found) {
      found = this.create(SPIFF + name, values, holder);
      this.update(element, holder, { values: [...(holder.values || []), found] });
    }
    return found;
  }

  remove(element, object, name) {
    const holder = object.extensionElements;
    const rest = (holder?.values || []).filter((each) => each.$type !== SPIFF + name);
    if (!holder || rest.length === holder.values.length) return;
    if (rest.length) this.update(element, holder, { values: rest });
    else this.update(element, object, { extensionElements: undefined });
  }

  // --- body texts: instructionsForEndUser, calledDecisionId, messageVariable ---
  text(object, name) {
    return this.find(object, name)?.value || '';
  }

  setText(element, object, name, value) {
    this.together(() => {
      if (value) this.update(element, this.ensure(element, object, name), { value });
      else this.remove(element, object, name);
    });
  }

  // --- properties: team, due, step, … ---
  property(object, name) {
    return this.find(object, 'Properties')?.properties?.find((each) => each.name === name)?.value ?? '';
  }

  // Sets several at once; an empty value removes the property.
  setProperties(element, object, values) {
    this.together(() => {
      for (const [name, value] of Object.entries(values)) this.#setProperty(element, object, name, value);
    });
  }

  #setProperty(element, object, name, value) {
    const holder = this.find(object, 'Properties');
    const there = holder?.properties?.find((each) => each.name === name);
    if (value && there) return this.update(element, there, { value });
    if (value) {
      const home = holder || this.ensure(element, object, 'Properties', { properties: [] });
      const made = this.create('spiffworkflow:Property', { name, value }, home);
      return this.update(element, home, { properties: [...(home.properties || []), made] });
    }
    if (!there) return undefined;
    const rest = holder.properties.filter((each) => each !== there);
    return rest.length ? this.update(element, holder, { properties: rest }) : this.remove(element, object, 'Properties');
  }

  // --- operations ---
  operator(object) {
    return this.find(object, 'ServiceTaskOperator');
  }

  // Chooses the operation; parameters it shares with the one before keep their expressions.
  setOperation(element, object, operation) {
    this.together(() => {
      if (!operation) return this.remove(element, object, 'ServiceTaskOperator');
      const operator = this.ensure(element, object, 'ServiceTaskOperator');
      const before = operator.parameterList?.parameters || [];
      const list = this.create('spiffworkflow:Parameters', { parameters: [] }, operator);
      list.parameters = operation.parameters
        .filter((each) => each.required || before.some((old) => old.id === each.name))
        .map((each) => {
          const value = before.find((old) => old.id === each.name)?.value ?? '';
          return this.create('spiffworkflow:Parameter', { id: each.name, type: each.type, value }, list);
        });
      return this.update(element, operator, { id: operation.name, parameterList: list });
    });
  }

  setParameter(element, object, parameter, value) {
    this.together(() => {
      const operator = this.operator(object);
      let list = operator.parameterList;
      if (!list) {
        list = this.create('spiffworkflow:Parameters', { parameters: [] }, operator);
        this.update(element, operator, { parameterList: list });
      }
      const there = list.parameters?.find((each) => each.id === parameter.name);
      if (there && (value || parameter.required)) return this.update(element, there, { value });
      const rest = (list.parameters || []).filter((each) => each !== there);
      if (value) {
        const values = { id: parameter.name, type: parameter.type, value };
        rest.push(this.create('spiffworkflow:Parameter', values, list));
      }
      return this.update(element, list, { parameters: rest });
    });
  }

  setResult(element, object, name) {
    this.update(element, this.operator(object), { resultVariable: name || undefined });
  }

  // --- expressions in child elements: conditions, times, cardinalities ---
  setExpression(element, object, name, body) {
    const made = body ? this.create('bpmn:FormalExpression', { body }, object) : undefined;
    this.update(element, object, { [name]: made });
  }

  setDocumentation(element, object, text) {
    const rest = (object.documentation || []).slice(1);
    const made = text ? [this.create('bpmn:Documentation', { text }, object)] : [];
    this.update(element, object, { documentation: [...made, ...rest] });
  }

  // --- declarations beside the process: messages, errors ---
  get definitions() {
    let object = business(this.canvas.getRootElement());
    while (object && object.$type !== 'bpmn:Definitions') object = object.$parent;
    return object;
  }

  declared(type) {
    return (this.definitions?.rootElements || []).filter((each) => each.$type === type);
  }

  // The declaration of this name or code, made when there is none.
  declare(element, type, key, value) {
    const there = this.declared(type).find((each) => each[key] === value);
    if (there) return there;
    const word = type.split(':')[1].toLowerCase();
    const base = `${word}_${value.replace(/[^A-Za-z0-9_]+/g, '_')}`;
    const taken = new Set((this.definitions.rootElements || []).map((each) => each.id));
    let id = base;
    for (let n = 2; taken.has(id); n += 1) id = `${base}_${n}`;
    const values = { id, name: value, ...(key === 'name' ? {} : { [key]: value }) };
    const made = this.create(type, values, this.definitions);
    const at = this.definitions.rootElements.findIndex((each) => /Collaboration|Process/.test(each.$type));
    const all = [...this.definitions.rootElements];
    all.splice(at < 0 ? all.length : at, 0, made);
    this.update(element, this.definitions, { rootElements: all });
    return made;
  }
}

export default {
  __depends__: [togetherModule],
  extensions: ['type', Extensions],
};
