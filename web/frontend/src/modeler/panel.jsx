// The properties panel: what the engine reads of the chosen element, in sections, with the check's word beside each field.
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { bearer, business } from './extensions.js';
import { Problem } from './fields.jsx';
import { Condition, Coded, Message, Timer, WaysOut } from './groups_events.jsx';
import { Documentation, General, LaneGroup, ProcessGroup, Repetition, Step } from './groups_general.jsx';
import { Approval, Called, Cancels, Decision, Form, Operation, People, Script } from './groups_tasks.jsx';
import { Placed } from './places.js';
import { variablesOf } from './variables.js';
import { eventKind, isA, kindOf, nameOf } from './words.js';

// Which fields an element's panel has; a finding that belongs to none of them is shown at the head.
function fieldsOf(object, extensions) {
  const found = ['name', 'id'];
  const kind = eventKind(object);
  if (isA(object, 'Activity')) found.push('step', 'repetition');
  if (isA(object, 'FlowNode')) found.push('commits');
  if (isA(object, 'UserTask')) found.push('team', 'due', 'escalateTo', 'kind');
  if (isA(object, 'UserTask') && extensions.property(object, 'kind') === 'approval') {
    found.push('submits', 'sendBackTo', 'submission', 'signatures', 'separateFrom');
  } else if (isA(object, 'UserTask')) found.push('form', 'formContext', 'onComplete', 'resultVariable');
  if (isA(object, 'ServiceTask')) found.push('operation', 'resultVariable', 'requires');
  if (isA(object, 'BusinessRuleTask')) found.push('decision');
  if (isA(object, 'ScriptTask')) found.push('script');
  if (isA(object, 'CallActivity')) found.push('called');
  if (isA(object, 'ReceiveTask') || kind === 'message') found.push('message', 'resultVariable', 'accepts');
  if (kind === 'timer') found.push('timer');
  if (['error', 'escalation', 'signal'].includes(kind)) found.push('error');
  if (isA(object, 'EndEvent')) found.push('cancels');
  if (isA(object, 'SequenceFlow')) found.push('condition', 'default');
  if (isA(object, 'ExclusiveGateway', 'InclusiveGateway')) found.push('default');
  if (isA(object, 'Process')) found.push('executable', 'cancellation');
  if (isA(object, 'Lane')) found.push('teams');
  const parameters = extensions.operator(object)?.parameterList?.parameters || [];
  return { known: found, parameters: parameters.map((each) => `parameter:${each.id}`) };
}

function processOf(object) {
  return !object || isA(object, 'Process') ? object : processOf(object.$parent);
}

class Fields {
  constructor({ known, parameters }, isServiceTask) {
    this.known = new Set([...known, ...parameters]);
    this.isServiceTask = isServiceTask;
  }

  has(place) {
    return this.known.has(place) || (this.isServiceTask && place.startsWith('parameter:'));
  }
}

function Sections({ at, placed, boot }) {
  const { object } = at;
  const kind = eventKind(object);
  const isUserTask = isA(object, 'UserTask');
  const isGate = isUserTask && at.extensions.property(object, 'kind') === 'approval';
  const given = { at, placed, boot };
  return (
    <>
      <General {...given} isUserTask={isUserTask} />
      {isUserTask && <People {...given} />}
      {isUserTask && !isGate && <Form {...given} />}
      {isGate && <Approval {...given} steps={at.steps()} userTasks={at.userTasks()} />}
      {isA(object, 'ServiceTask') && <Operation {...given} />}
      {isA(object, 'BusinessRuleTask') && <Decision {...given} />}
      {isA(object, 'ScriptTask') && <Script {...given} />}
      {isA(object, 'CallActivity') && <Called {...given} />}
      {(isA(object, 'ReceiveTask') || kind === 'message') && <Message {...given} />}
      {kind === 'timer' && <Timer {...given} />}
      {['error', 'escalation', 'signal'].includes(kind) && <Coded {...given} kind={kind} />}
      {isA(object, 'EndEvent') && <Cancels {...given} />}
      {isA(object, 'SequenceFlow') && <Condition {...given} />}
      {isA(object, 'Gateway') && <WaysOut {...given} />}
      {isA(object, 'Process') && <ProcessGroup {...given} />}
      {isA(object, 'Lane') && <LaneGroup {...given} />}
      {isA(object, 'FlowNode') && <Step {...given} gates={at.gates()} />}
      {isA(object, 'Activity') && <Repetition {...given} />}
      {object.documentation !== undefined && isA(object, 'BaseElement') && <Documentation at={at} />}
    </>
  );
}

function Several({ elements }) {
  return (
    <header>
      <small class="mute">Chosen together</small>
      <h2>{elements.length} elements</h2>
      <p class="hint">Choose one to see its properties. Move, copy, align or remove them together on the canvas.</p>
    </header>
  );
}

function Panel({ state }) {
  const [, again] = useState(0);
  useEffect(() => {
    state.refresh = () => again((n) => n + 1);
  }, []);
  const { elements, findings, boot } = state;
  if (!elements.length) return null;
  if (elements.length > 1) return <Several elements={elements} />;
  const at = state.at(elements[0]);
  const { object } = at;
  const fields = new Fields(fieldsOf(object, at.extensions), isA(object, 'ServiceTask'));
  const placed = new Placed(findings.get(object.id) || [], fields);
  return (
    <div key={`${state.file} ${elements[0].id}`}>
      <header>
        <small class="mute">
          {kindOf(object)} · <span class="code">{object.id}</span>
        </small>
        <h2>{nameOf(object)}</h2>
        {placed.all('').map((finding) => (
          <Problem key={finding.rule + finding.message} id={`p-${finding.rule}`} finding={finding} />
        ))}
        {state.said && (
          <p class="err" role="alert">
            {state.said}
          </p>
        )}
      </header>
      <Sections at={at} placed={placed} boot={boot} />
      <datalist id="variables">
        {at.variables.map((name) => (
          <option value={name} key={name} />
        ))}
      </datalist>
    </div>
  );
}

// Draws the panel into `place` and keeps it as the diagram is. `findings`: element id → findings of the shown file.
export function showPanel({ place, modeler, boot, ask, newForm, select }) {
  const get = (name) => modeler.get(name);
  const registry = get('elementRegistry');
  const extensions = get('extensions');
  const state = { elements: [], findings: new Map(), boot, refresh: () => {}, said: '', file: '' };
  const processElement = () => {
    const root = get('canvas').getRootElement();
    return (isA(business(root), 'Collaboration') && root.children.find((each) => isA(business(each), 'Participant'))) || root;
  };
  const tasks = (test) => registry.filter((each) => !each.labelTarget && test(business(each)));
  state.at = (element) => {
    const object = bearer(element);
    return {
      element, object, registry, extensions, boot, ask, select, findings: state.findings,
      modeling: get('modeling'),
      isPool: isA(business(element), 'Participant'),
      isRoot: !element.parent,
      processId: bearer(processElement()).id,
      variables: variablesOf(registry, extensions, boot),
      newForm: () => newForm(element),
      say: (text) => {
        state.said = text;
        state.refresh();
      },
      steps: () =>
        tasks((each) => extensions.property(each, 'step') && each !== object)
          .map((each) => [extensions.property(business(each), 'step'), nameOf(business(each))])
          .sort(([a], [b]) => a - b)
          .map(([step, name]) => [step, `${step} ${name}`]),
      gates: () =>
        tasks((each) => extensions.property(each, 'kind') === 'approval' && processOf(each) === processOf(object)).map((each) => [
          each.id,
          nameOf(business(each)),
        ]),
      userTasks: () => tasks((each) => isA(each, 'UserTask') && each !== object).map((each) => [each.id, nameOf(business(each))]),
    }; // prettier-ignore
  };
  const show = () => {
    // between two files, and when one cannot be drawn, there is nothing to show
    if (!business(get('canvas').getRootElement())) state.elements = [];
    else {
      const chosen = get('selection').get().map((each) => each.labelTarget || each);
      state.elements = chosen.length ? chosen : [processElement()];
    }
    state.refresh();
  };
  const drawn = () => {
    show();
    render(<Panel state={state} />, place);
  };
  modeler.on('selection.changed', () => {
    state.said = '';
    show();
  });
  modeler.on('commandStack.changed', () => {
    state.said = '';
    show();
  });
  modeler.on('import.done', drawn);
  return {
    findings: (found, file) => {
      state.findings = found;
      state.file = file;
      state.refresh();
    },
    refresh: () => state.refresh(),
  };
}
