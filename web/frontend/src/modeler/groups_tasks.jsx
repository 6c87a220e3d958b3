// The panel's sections of tasks: people, what is filled in or signed, operation, decision, script, call.
import { shown, stored } from './durations.js';
import { Check, Group, Problem, Select, Several, Text } from './fields.jsx';

const setter = (at) => (name) => (value) =>
  at.extensions.setProperties(at.element, at.object, { [name]: value.trim() });

export function People({ at, placed, boot }) {
  const set = setter(at);
  const property = (name) => at.extensions.property(at.object, name);
  const due = property('due');
  return (
    <Group name="people" title="People" problems={placed.count('team', 'due', 'escalateTo')}>
      <Select
        id="p-team"
        label="Team"
        empty="Choose a team"
        options={boot.teams}
        value={property('team')}
        finding={placed.first('team')}
        onSet={set('team')}
      />
      <Text
        id="p-due"
        label="Due after"
        value={shown(due)}
        finding={placed.first('due')}
        onSet={(value) => set('due')(stored(value))}
        hint={due && shown(due) === due ? undefined : 'For example 30 min, 4 h, 2 d.'}
      />
      <Select
        id="p-escalate"
        label="Then tell"
        optional
        empty="Nobody"
        options={boot.tellable}
        value={property('escalateTo')}
        finding={placed.first('escalateTo')}
        onSet={set('escalateTo')}
      />
    </Group>
  );
}

const OF_A_FORM = ['formJsonSchemaFilename', 'formUiSchemaFilename', 'formContext', 'onComplete', 'resultVariable'];
const OF_A_GATE = ['submits', 'sendBackTo', 'submission', 'signatures', 'separateFrom'];

function Kind({ at, placed }) {
  const { element, object, extensions } = at;
  const change = (value) => {
    const drop = Object.fromEntries((value ? OF_A_FORM : OF_A_GATE).map((name) => [name, '']));
    extensions.setProperties(element, object, { ...drop, kind: value });
  };
  return (
    <Select
      id="p-kind"
      label="What people do"
      options={[['', 'Fill in a form'], ['approval', 'Approve, send back or reject']]}
      value={extensions.property(object, 'kind')}
      finding={placed.first('kind')}
      onSet={change}
    />
  );
}

export function Form({ at, placed, boot }) {
  const set = setter(at);
  const property = (name) => at.extensions.property(at.object, name);
  const name = property('formJsonSchemaFilename');
  const form = boot.forms.find((each) => each.name === name);
  const fields = form ? form.fields.length : 0;
  const ops = (use) => boot.operations.filter((each) => each.use === use).map((each) => [each.name, each.name]);
  const link = name && (
    <>
      <a href={`/modeler/${boot.id}/forms/${name.replace(/\.json$/, '')}`}>
        {form ? 'Edit and preview' : 'Make this form'}
      </a>
      {form && ` · ${fields === 1 ? '1 field' : `${fields} fields`}`}
    </>
  );
  return (
    <Group name="form" title="Form" problems={placed.count('kind', 'form', 'formContext', 'onComplete', 'resultVariable')}>
      <Kind at={at} placed={placed} />
      <Select
        id="p-form"
        label="Form"
        empty="Choose a form"
        options={[...boot.forms.map((each) => [each.name, each.name]), ['+', 'New form …']]}
        value={name}
        finding={placed.first('form')}
        hint={link}
        onSet={(value) => (value === '+' ? at.newForm() : set('formJsonSchemaFilename')(value))}
      />
      <Select
        id="p-context"
        label="Filled in beforehand by"
        optional
        empty="Nothing: it starts empty"
        options={ops('context')}
        value={property('formContext')}
        finding={placed.first('formContext')}
        hint={boot.meaning(property('formContext'))}
        onSet={set('formContext')}
      />
      <Select
        id="p-complete"
        label="Operation on completion"
        optional
        empty="None"
        options={ops('form')}
        value={property('onComplete')}
        finding={placed.first('onComplete')}
        hint={boot.meaning(property('onComplete'))}
        onSet={(value) =>
          at.extensions.setProperties(at.element, at.object, {
            onComplete: value,
            ...(value ? {} : { resultVariable: '' }),
          })
        }
      />
      {(property('onComplete') || property('resultVariable')) && (
        <Text
          id="p-result"
          label="Its result is read as"
          optional
          code
          value={property('resultVariable')}
          finding={placed.first('resultVariable')}
          onSet={set('resultVariable')}
        />
      )}
    </Group>
  );
}

export function Approval({ at, placed, boot, steps, userTasks }) {
  const set = setter(at);
  const property = (name) => at.extensions.property(at.object, name);
  const ops = boot.operations.filter((each) => each.use === 'plain').map((each) => [each.name, each.name]);
  ops.sort(([a], [b]) => b.endsWith('submission') - a.endsWith('submission') || a.localeCompare(b));
  return (
    <Group
      name="form"
      title="Approval"
      problems={placed.count('kind', 'submits', 'sendBackTo', 'submission', 'signatures', 'separateFrom')}
    >
      <Kind at={at} placed={placed} />
      <Several
        id="p-submits"
        label="Steps under review"
        options={steps}
        value={property('submits')}
        finding={placed.first('submits')}
        onSet={set('submits')}
      />
      <Several
        id="p-back"
        label="May be sent back to"
        options={steps}
        value={property('sendBackTo')}
        finding={placed.first('sendBackTo')}
        onSet={set('sendBackTo')}
      />
      <Select
        id="p-submission"
        label="What is signed"
        empty="Choose the operation that composes it"
        options={ops}
        value={property('submission')}
        finding={placed.first('submission')}
        hint={boot.meaning(property('submission'))}
        onSet={set('submission')}
      />
      <Text
        id="p-signatures"
        label="Signatures needed"
        optional
        code
        list="variables"
        value={property('signatures')}
        finding={placed.first('signatures')}
        hint="A number or an expression; one when it is empty."
        onSet={set('signatures')}
      />
      <Several
        id="p-separate"
        label="Whoever did one of these may not sign"
        optional
        options={userTasks}
        value={property('separateFrom')}
        finding={placed.first('separateFrom')}
        hint="With none ticked: nobody who did any work on the order."
        onSet={set('separateFrom')}
      />
    </Group>
  );
}

const TYPES = { str: 'text', int: 'whole number', float: 'number', bool: 'true or false', object: 'anything' };

export function Operation({ at, placed, boot }) {
  const { element, object, extensions } = at;
  const operator = extensions.operator(object);
  const operation = boot.operations.find((each) => each.name === operator?.id);
  const areas = new Map();
  for (const each of boot.operations.filter((one) => ['plain', 'service'].includes(one.use))) {
    const area = each.name.split('.')[0];
    areas.set(area, [...(areas.get(area) || []), [each.name, each.name]]);
  }
  const given = operator?.parameterList?.parameters || [];
  const known = operation?.parameters || [];
  const strange = given.filter((each) => !known.some((one) => one.name === each.id));
  const places = [...given.map((each) => each.id), ...known.map((each) => each.name)].map((name) => `parameter:${name}`);
  return (
    <Group
      name="operation"
      title="Operation"
      problems={placed.count('operation', 'resultVariable', ...new Set(places))}
    >
      <Select
        id="p-operation"
        label="Operation"
        empty="Choose an operation"
        options={[...areas]}
        value={operator?.id}
        finding={placed.first('operation')}
        hint={operation && <Meaning operation={operation} />}
        onSet={(name) => extensions.setOperation(element, object, boot.operations.find((each) => each.name === name))}
      />
      {known.map((parameter) => (
        <Text
          key={parameter.name}
          id={`p-parameter-${parameter.name}`}
          label={parameter.name}
          optional={!parameter.required}
          code
          list="variables"
          value={given.find((each) => each.id === parameter.name)?.value}
          finding={placed.first(`parameter:${parameter.name}`)}
          hint={[`An expression that gives ${TYPES[parameter.type] || 'anything'}.`, parameter.meaning].filter(Boolean).join(' ')}
          onSet={(value) => extensions.setParameter(element, object, parameter, value.trim())}
        />
      ))}
      {strange.map((each) => (
        <div class="field" key={each.id}>
          <p>
            <span class="code">{each.id}</span> <span class="code mute">{each.value}</span>{' '}
            <button type="button" class="link" onClick={() => extensions.setParameter(element, object, { name: each.id }, '')}>
              Remove
            </button>
          </p>
          <Problem id={`p-parameter-${each.id}-problem`} finding={placed.first(`parameter:${each.id}`)} />
        </div>
      ))}
      {operator && (
        <Text
          id="p-result"
          label="Its result is read as"
          optional
          code
          value={operator.resultVariable}
          finding={placed.first('resultVariable')}
          onSet={(value) => extensions.setResult(element, object, value.trim())}
        />
      )}
    </Group>
  );
}

function Meaning({ operation }) {
  const outside = operation.kind === 'external';
  return (
    <>
      {operation.meaning}{' '}
      {outside ? `Asks somebody outside; tried up to ${operation.attempts} times.` : 'Works in our own database.'}
      {operation.refusals.length > 0 && (
        <>
          {' '}
          A refusal <span class="code">{operation.refusals.join(', ')}</span> goes to an error event on this task.
        </>
      )}
    </>
  );
}

export function Decision({ at, placed, boot }) {
  const { element, object, extensions } = at;
  const id = extensions.text(object, 'CalledDecisionId');
  const decision = boot.decisions.find((each) => each.id === id);
  const link = decision && (
    <>
      <a href={`/modeler/${boot.id}/decisions/${decision.file.replace(/^processes\/|\.dmn$/g, '')}`}>
        Edit the table
      </a>
      {decision.outputs.length > 0 && (
        <>
          {' · gives '}
          <span class="code">{decision.outputs.map((each) => `${id}.${each}`).join(', ')}</span>
        </>
      )}
    </>
  );
  return (
    <Group name="decision" title="Decision table" problems={placed.count('decision')}>
      <Select
        id="p-decision"
        label="Table"
        empty="Choose a table"
        options={boot.decisions.map((each) => [each.id, each.name])}
        value={id}
        finding={placed.first('decision')}
        hint={link}
        onSet={(value) => extensions.setText(element, object, 'CalledDecisionId', value)}
      />
      {!decision && (
        <p class="hint">
          <a href={`/modeler/${boot.id}/decisions`}>
            Make a table
          </a>
        </p>
      )}
    </Group>
  );
}

export function Script({ at, placed }) {
  return (
    <Group name="script" title="Script" problems={placed.count('script')}>
      <Text
        id="p-script"
        label="Lines"
        area
        code
        rows={5}
        value={at.object.script}
        finding={placed.first('script')}
        onSet={(value) => at.modeling.updateProperties(at.element, { script: value || undefined })}
        hint="One assignment a line: attempts = attempts + 1"
      />
    </Group>
  );
}

export function Called({ at, placed, boot }) {
  const options = boot.processes.filter((each) => each.id !== at.processId).map((each) => [each.id, each.name]);
  return (
    <Group name="called" title="Called process" problems={placed.count('called')}>
      <Select
        id="p-called"
        label="Process"
        empty="Choose a process of this draft"
        options={options}
        value={at.object.calledElement}
        finding={placed.first('called')}
        onSet={(value) => at.modeling.updateProperties(at.element, { calledElement: value || undefined })}
      />
    </Group>
  );
}

export function Cancels({ at, placed }) {
  const { element, object, extensions } = at;
  return (
    <Group name="cancels" title="End" problems={placed.count('cancels')}>
      <Check
        id="p-cancels"
        label="The order is cancelled here"
        value={extensions.property(object, 'cancels') === 'true'}
        finding={placed.first('cancels')}
        hint="The process that undoes it begins."
        onSet={(value) => extensions.setProperties(element, object, { cancels: value ? 'true' : '' })}
      />
    </Group>
  );
}
