// What elements are called, for people.

const KINDS = {
  UserTask: 'User task', ServiceTask: 'Service task', BusinessRuleTask: 'Decision', ScriptTask: 'Script task',
  ReceiveTask: 'Receive task', CallActivity: 'Call activity', SubProcess: 'Subprocess', Transaction: 'Transaction',
  AdHocSubProcess: 'Ad hoc subprocess', Task: 'Task without a type', ManualTask: 'Manual task', SendTask: 'Send task',
  ExclusiveGateway: 'Exclusive gateway', ParallelGateway: 'Parallel gateway', InclusiveGateway: 'Inclusive gateway',
  EventBasedGateway: 'Event gateway', ComplexGateway: 'Complex gateway', SequenceFlow: 'Flow', Lane: 'Lane',
  Participant: 'Process', Process: 'Process', Collaboration: 'Diagram', TextAnnotation: 'Note', Group: 'Group',
  Association: 'Association', MessageFlow: 'Message flow', DataObjectReference: 'Data object',
  DataStoreReference: 'Data store',
}; // prettier-ignore
const EVENTS = {
  StartEvent: 'start event', EndEvent: 'end event', IntermediateCatchEvent: 'event', IntermediateThrowEvent: 'event',
  BoundaryEvent: 'event on a task',
}; // prettier-ignore

export const eventDefinition = (object) => object.eventDefinitions?.[0];

export const eventKind = (object) =>
  eventDefinition(object)?.$type.replace('bpmn:', '').replace('EventDefinition', '').toLowerCase() || '';

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export function kindOf(object) {
  const type = object.$type.replace('bpmn:', '');
  if (EVENTS[type]) return capital([eventKind(object), EVENTS[type]].filter(Boolean).join(' '));
  return KINDS[type] || type.replace(/([a-z])([A-Z])/g, '$1 $2');
}

export function nameOf(object) {
  const name = (object.name || object.text || '').replace(/\s+/g, ' ').trim();
  if (name) return name;
  if (object.$type === 'bpmn:SequenceFlow') return `to ${object.targetRef ? nameOf(object.targetRef) : '…'}`;
  return object.id;
}

export const isA = (object, ...types) => types.some((type) => object?.$instanceOf?.(`bpmn:${type}`));
