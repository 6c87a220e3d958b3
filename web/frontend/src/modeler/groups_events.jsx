// The panel's sections of events, flows and gateways: timer, message, error, condition, the ways out.
import { shown, stored } from './durations.js';
import { Check, Group, Problem, Select, Text } from './fields.jsx';
import { eventDefinition, isA, nameOf } from './words.js';

const TIMES = [
  ['timeDuration', 'After a time'],
  ['timeCycle', 'Again and again'],
  ['timeDate', 'At a date'],
];
const EXAMPLES = {
  timeDuration: 'For example 4 h, 2 d, or an expression.',
  timeCycle: 'For example R3/P3D: three times, every 3 days.',
  timeDate: 'For example 2026-01-31T09:00:00Z, or an expression.',
};

export function Timer({ at, placed }) {
  const { element, object, extensions } = at;
  const definition = eventDefinition(object);
  const way = TIMES.map(([name]) => name).find((name) => definition[name]) || 'timeDuration';
  const set = (name, body) => {
    const made = extensions.create('bpmn:FormalExpression', { body }, definition);
    const others = Object.fromEntries(TIMES.map(([each]) => [each, undefined]));
    extensions.update(element, definition, { ...others, [name]: made });
  };
  const text = definition[way]?.body || '';
  return (
    <Group name="event" title="Timer" problems={placed.count('timer')}>
      <Select id="p-timer-kind" label="It happens" options={TIMES} value={way} onSet={(value) => set(value, text)} />
      <Text
        id="p-timer"
        label={way === 'timeDate' ? 'When' : way === 'timeCycle' ? 'How often' : 'How long'}
        code={way !== 'timeDuration'}
        value={way === 'timeDuration' ? shown(text) : text}
        finding={placed.first('timer')}
        hint={EXAMPLES[way]}
        onSet={(value) => set(way, way === 'timeDuration' ? stored(value) : value.trim())}
      />
      <Interrupts at={at} />
    </Group>
  );
}

function Interrupts({ at }) {
  const { element, object, modeling } = at;
  if (!isA(object, 'BoundaryEvent')) return null;
  return (
    <Check
      id="p-interrupts"
      label="Ends the task it sits on"
      value={object.cancelActivity !== false}
      onSet={(value) => modeling.updateProperties(element, { cancelActivity: value })}
    />
  );
}

export function Message({ at, placed, boot }) {
  const { element, object, extensions } = at;
  const isTask = isA(object, 'ReceiveTask');
  const holder = isTask ? object : eventDefinition(object);
  const messages = [...new Set([...extensions.declared('bpmn:Message').map((each) => each.name), ...boot.messages])]
    .filter(Boolean)
    .sort()
    .map((name) => [name, name]);
  const choose = (name) =>
    extensions.together(() => {
      const messageRef = name ? extensions.declare(element, 'bpmn:Message', 'name', name) : undefined;
      extensions.update(element, holder, { messageRef });
    });
  return (
    <Group name="event" title="Message" problems={placed.count('message', 'resultVariable', 'accepts')}>
      <Select
        id="p-message"
        label="Message"
        empty="Choose a message"
        options={[...messages, ['+', 'Another one …']]}
        value={holder.messageRef?.name}
        finding={placed.first('message')}
        onSet={(value) => (value === '+' ? at.ask('Name of the message', 'courier.picked_up', choose) : choose(value))}
      />
      <Text
        id="p-message-variable"
        label="Its content is read as"
        optional
        code
        value={extensions.text(holder, 'MessageVariable')}
        finding={placed.first('resultVariable')}
        onSet={(value) => extensions.setText(element, holder, 'MessageVariable', value.trim())}
      />
      <Text
        id="p-accepts"
        label="Only if"
        optional
        code
        list="variables"
        value={extensions.property(object, 'accepts')}
        finding={placed.first('accepts')}
        hint="An expression over the variables and message, for example message.booking == booking.reference."
        onSet={(value) => extensions.setProperties(element, object, { accepts: value.trim() })}
      />
      {!isTask && <Interrupts at={at} />}
    </Group>
  );
}

const CODED = {
  error: ['Error', 'bpmn:Error', 'errorRef', 'errorCode', 'The code of the refusal'],
  escalation: ['Escalation', 'bpmn:Escalation', 'escalationRef', 'escalationCode', 'Its code'],
  signal: ['Signal', 'bpmn:Signal', 'signalRef', 'name', 'Its name'],
};

export function Coded({ at, placed, boot, kind }) {
  const { element, object, extensions } = at;
  const [title, type, reference, key, label] = CODED[kind];
  const definition = eventDefinition(object);
  const host = object.attachedToRef && extensions.operator(object.attachedToRef)?.id;
  const refusals = boot.operations.find((each) => each.name === host)?.refusals || [];
  const known = [...new Set([...refusals, ...extensions.declared(type).map((each) => each[key])])].filter(Boolean);
  const choose = (value) =>
    extensions.together(() => {
      const made = value ? extensions.declare(element, type, key, value) : undefined;
      extensions.update(element, definition, { [reference]: made });
    });
  return (
    <Group name="event" title={title} problems={placed.count('error')}>
      <Select
        id="p-code"
        label={label}
        empty="Choose"
        options={[...known.map((each) => [each, each]), ['+', 'Another one …']]}
        value={definition[reference]?.[key]}
        finding={placed.first('error')}
        hint={refusals.length ? `${host} may refuse with ${refusals.join(', ')}.` : undefined}
        onSet={(value) => (value === '+' ? at.ask(label, 'payment_declined', choose) : choose(value))}
      />
      {kind !== 'error' && <Interrupts at={at} />}
    </Group>
  );
}

export function Condition({ at, placed }) {
  const { element, object, extensions, modeling } = at;
  const source = object.sourceRef;
  const isDefault = source?.default === object;
  const decides = isA(source, 'ExclusiveGateway', 'InclusiveGateway');
  const condition = object.conditionExpression?.body || '';
  if (!decides && !condition) return null;
  const setDefault = (value) =>
    extensions.together(() => {
      const from = element.source;
      modeling.updateProperties(from, { default: value ? object : undefined });
      if (value && condition) modeling.updateProperties(element, { conditionExpression: undefined });
    });
  return (
    <Group name="condition" title="Condition" problems={placed.count('condition', 'default')}>
      {decides && (
        <Check
          id="p-default"
          label="Taken when no other condition holds"
          value={isDefault}
          finding={placed.first('default')}
          onSet={setDefault}
        />
      )}
      {!isDefault && (
        <Text
          id="p-condition"
          label="Taken when"
          area
          code
          value={condition}
          finding={placed.first('condition')}
          hint='For example resolve_shortage.choice == "wait".'
          onSet={(value) =>
            modeling.updateProperties(element, {
              conditionExpression: value.trim()
                ? extensions.create('bpmn:FormalExpression', { body: value.trim() }, object)
                : undefined,
            })
          }
        />
      )}
      {!isDefault && <Suggestions at={at} />}
    </Group>
  );
}

function Suggestions({ at }) {
  const names = at.variables;
  if (!names.length) return null;
  return (
    <details class="inner">
      <summary>What can be read here</summary>
      <p class="hint code">{names.join(', ')}</p>
    </details>
  );
}

export function WaysOut({ at, placed }) {
  const { element, object, modeling, select, findings } = at;
  const flows = element.outgoing.filter((each) => isA(each.businessObject, 'SequenceFlow'));
  if (!isA(object, 'ExclusiveGateway', 'InclusiveGateway') || flows.length < 2) return null;
  const options = flows.map((flow) => [flow.id, words(flow.businessObject)]);
  const problems = flows.reduce((sum, flow) => sum + (findings.get(flow.id)?.length || 0), 0);
  return (
    <Group name="ways" title="Ways out" problems={placed.count('default') + problems}>
      <Select
        id="p-default-flow"
        label="When no condition holds"
        empty="Nothing: the order stops as an incident"
        options={options}
        value={object.default?.id}
        finding={placed.first('default')}
        onSet={(id) => {
          const flow = flows.find((each) => each.id === id);
          at.extensions.together(() => {
            modeling.updateProperties(element, { default: flow?.businessObject });
            if (flow?.businessObject.conditionExpression) modeling.updateProperties(flow, { conditionExpression: undefined });
          });
        }}
      />
      <ul class="ways">
        {flows.map((flow) => (
          <li key={flow.id}>
            <button type="button" class="link" onClick={() => select(flow.id)}>
              {words(flow.businessObject)}
            </button>
            <span class="code mute">
              {object.default?.id === flow.id ? 'otherwise' : flow.businessObject.conditionExpression?.body || 'no condition'}
            </span>
            <Problem id={`p-way-${flow.id}`} finding={findings.get(flow.id)?.[0]} />
          </li>
        ))}
      </ul>
    </Group>
  );
}

const words = (flow) => (flow.name ? `${flow.name} → ${nameOf(flow.targetRef)}` : `→ ${nameOf(flow.targetRef)}`);
