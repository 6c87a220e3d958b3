// The variables that expressions of a diagram can read, for suggestions: results, forms, decisions, what is repeated.
import { bearer } from './extensions.js';

const FIELDS_OF_A_GATE = ['decision', 'comment', 'send_back_to'];

export function variablesOf(registry, extensions, boot) {
  const found = new Set(boot.inputs || []);
  const gives = (variable, operation) => {
    if (!variable) return;
    found.add(variable);
    const keys = boot.operations.find((each) => each.name === operation)?.gives || [];
    for (const key of keys) found.add(`${variable}.${key}`);
  };
  for (const element of registry.getAll()) {
    const object = bearer(element);
    if (!object?.$type || element.labelTarget) continue;
    const operator = extensions.operator(object);
    gives(operator?.resultVariable, operator?.id);
    gives(extensions.property(object, 'resultVariable'), extensions.property(object, 'onComplete'));
    if (object.$type === 'bpmn:UserTask') {
      const isGate = extensions.property(object, 'kind') === 'approval';
      const form = boot.forms.find((each) => each.name === extensions.property(object, 'formJsonSchemaFilename'));
      for (const field of isGate ? FIELDS_OF_A_GATE : form?.fields || []) found.add(`${object.id}.${field}`);
    }
    const called = extensions.text(object, 'CalledDecisionId');
    const decision = boot.decisions.find((each) => each.id === called);
    for (const output of decision?.outputs || []) found.add(`${called}.${output}`);
    const holders = [object, object.eventDefinitions?.[0]];
    const message = holders.map((each) => each && extensions.text(each, 'MessageVariable')).find(Boolean);
    if (message) found.add(message);
  }
  return [...found].sort();
}
