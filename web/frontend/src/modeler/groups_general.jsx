// The panel's sections that every element has: name, id, step, documentation, repetition; and those of the process.
import { Check, Group, Select, Several, Text } from './fields.jsx';
import { isA } from './words.js';
import { rename } from './rename.js';

export function General({ at, placed, isUserTask }) {
  const { element, object, extensions, modeling } = at;
  const isNote = isA(object, 'TextAnnotation');
  return (
    <Group name="general" title="General" problems={placed.count('name', 'id', 'executable')}>
      <Text
        id="p-name"
        label={isNote ? 'Text' : 'Name'}
        value={isNote ? object.text : object.name}
        finding={placed.first('name')}
        onSet={(value) =>
          at.isPool
            ? extensions.together(() => {
                modeling.updateProperties(element, { name: value || undefined });
                extensions.update(element, object, { name: value || undefined });
              })
            : isNote || at.isRoot
              ? extensions.update(element, object, { [isNote ? 'text' : 'name']: value || undefined })
              : modeling.updateLabel(element, value)
        }
      />
      <Text
        id="p-id"
        label="Id"
        code
        late
        value={object.id}
        finding={placed.first('id')}
        onSet={(value) => rename(at, value.trim())}
        hint={isA(object, 'UserTask') ? 'What the form gives is read under this name.' : undefined}
      />
      {isUserTask && (
        <Text
          id="p-instructions"
          label="Instructions"
          area
          value={extensions.text(object, 'InstructionsForEndUser')}
          onSet={(value) => extensions.setText(element, object, 'InstructionsForEndUser', value)}
          hint="Stands above the form."
        />
      )}
      {isA(object, 'Process') && (
        <Check
          id="p-executable"
          label="Can be run"
          value={object.isExecutable === true}
          finding={placed.first('executable')}
          onSet={(value) => extensions.update(element, object, { isExecutable: value })}
        />
      )}
    </Group>
  );
}

export function Documentation({ at }) {
  const { element, object, extensions } = at;
  const text = object.documentation?.[0]?.text || '';
  return (
    <Group name="documentation" title="Documentation" open={false} note={text ? '' : 'none'}>
      <Text
        id="p-documentation"
        label="Why it is there, and when it is done"
        area
        rows={5}
        value={text}
        onSet={(value) => extensions.setDocumentation(element, object, value)}
      />
    </Group>
  );
}

export function Step({ at, placed, gates }) {
  const { element, object, extensions } = at;
  const step = extensions.property(object, 'step');
  const set = (name, value) => extensions.setProperties(element, object, { [name]: value });
  const isActivity = isA(object, 'Activity');
  const commits = extensions.property(object, 'commits') === 'true';
  const note = step ? `step ${step}` : commits ? 'commits' : isActivity ? 'not a step' : '';
  return (
    <Group name="step" title="Step" open={false} note={note} problems={placed.count('step', 'commits', 'requires')}>
      {isActivity && (
        <Text
          id="p-step"
          label="Number"
          optional
          value={step}
          finding={placed.first('step')}
          onSet={(value) => set('step', value.trim())}
          hint="Of the steps that everybody counts by, 1, 2, 3 … Work beside them has none."
        />
      )}
      <Check
        id="p-commits"
        label="After it the order can no longer be cancelled"
        value={commits}
        finding={placed.first('commits')}
        onSet={(value) => set('commits', value ? 'true' : '')}
      />
      {isA(object, 'ServiceTask') && (gates.length > 0 || extensions.property(object, 'requires')) && (
        <Several
          id="p-requires"
          label="Approvals that must still hold here"
          optional
          options={gates}
          value={extensions.property(object, 'requires')}
          finding={placed.first('requires')}
          hint="When what was signed has changed since, the step does not run and an incident says what changed."
          onSet={(value) => set('requires', value.replaceAll(',', ', '))}
        />
      )}
    </Group>
  );
}

export function ProcessGroup({ at, placed, boot }) {
  const { element, object, extensions } = at;
  const others = boot.processes.filter((each) => each.id !== object.id).map((each) => [each.id, each.name]);
  return (
    <Group name="process" title="Cancelling" problems={placed.count('cancellation')}>
      <Select
        id="p-cancellation"
        label="Process that undoes it"
        optional
        empty="None: it cannot be cancelled"
        options={others}
        value={extensions.property(object, 'cancellation')}
        finding={placed.first('cancellation')}
        onSet={(value) => extensions.setProperties(element, object, { cancellation: value })}
      />
    </Group>
  );
}

export function LaneGroup({ at, placed, boot }) {
  const { element, object, extensions } = at;
  const teams = extensions.property(object, 'teams');
  return (
    <Group name="lane" title="Teams" problems={placed.count('teams')}>
      <Several
        id="p-teams"
        label="Who works in this lane"
        options={boot.teams}
        value={teams}
        finding={placed.first('teams')}
        onSet={(value) => extensions.setProperties(element, object, { teams: value.replaceAll(',', ', ') })}
      />
    </Group>
  );
}

const REPETITIONS = [
  ['', 'Once'],
  ['loop', 'Again and again, while a condition holds'],
  ['sequence', 'For several items, one after the other'],
  ['parallel', 'For several items, all at once'],
];

function wayOf(loop) {
  if (!loop) return '';
  if (loop.$type === 'bpmn:StandardLoopCharacteristics') return 'loop';
  return loop.isSequential ? 'sequence' : 'parallel';
}

export function Repetition({ at, placed }) {
  const { element, object, extensions, modeling } = at;
  const loop = object.loopCharacteristics;
  const way = wayOf(loop);
  const choose = (value) => {
    if (loop && ['sequence', 'parallel'].includes(value) && ['sequence', 'parallel'].includes(way)) {
      modeling.updateModdleProperties(element, loop, { isSequential: value === 'sequence' });
    } else {
      const type = value === 'loop' ? 'bpmn:StandardLoopCharacteristics' : 'bpmn:MultiInstanceLoopCharacteristics';
      const values = value === 'loop' ? {} : { isSequential: value === 'sequence' };
      modeling.updateProperties(element, {
        loopCharacteristics: value ? extensions.create(type, values, object) : undefined,
      });
    }
  };
  const item = (name, label, hint) => (
    <Text
      id={`p-${name}`}
      label={label}
      optional
      code
      value={loop[name]?.id || loop[name]?.name || ''}
      hint={hint}
      onSet={(value) => {
        const type = name.startsWith('loop') ? 'bpmn:ItemAwareElement' : name === 'inputDataItem' ? 'bpmn:DataInput' : 'bpmn:DataOutput';
        const values = name.startsWith('loop') ? { id: value } : { id: value, name: value };
        extensions.update(element, loop, { [name]: value ? extensions.create(type, values, loop) : undefined });
      }}
    />
  );
  const expression = (name, label, hint) => (
    <Text
      id={`p-${name}`}
      label={label}
      optional
      code
      list="variables"
      value={loop[name]?.body}
      hint={hint}
      onSet={(value) => extensions.setExpression(element, loop, name, value.trim())}
    />
  );
  return (
    <Group
      name="repetition"
      title="Repetition"
      open={false}
      note={way ? 'repeated' : 'once'}
      problems={placed.count('repetition')}
    >
      <Select
        id="p-repetition"
        label="It is done"
        options={REPETITIONS}
        value={way}
        finding={placed.first('repetition')}
        onSet={choose}
      />
      {way === 'loop' && (
        <>
          {expression('loopCondition', 'While', 'An expression, looked at after each round.')}
          <Text
            id="p-maximum"
            label="At most, times"
            optional
            value={loop.loopMaximum ? String(loop.loopMaximum) : ''}
            onSet={(value) => extensions.update(element, loop, { loopMaximum: parseInt(value, 10) || undefined })}
          />
          <Check
            id="p-before"
            label="Look at the condition before the first round too"
            value={loop.testBefore === true}
            onSet={(value) => extensions.update(element, loop, { testBefore: value })}
          />
        </>
      )}
      {(way === 'sequence' || way === 'parallel') && (
        <>
          {item('loopDataInputRef', 'List', 'The variable that holds the list.')}
          {item('inputDataItem', 'Name of one item', 'What an item is called inside.')}
          {expression('loopCardinality', 'Or: how many times')}
          {item('loopDataOutputRef', 'List of results')}
          {item('outputDataItem', 'Name of one result')}
          {expression('completionCondition', 'Ends early when')}
        </>
      )}
    </Group>
  );
}
