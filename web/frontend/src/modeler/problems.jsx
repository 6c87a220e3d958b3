// The list below the canvas: every problem with its element, its line, what is wrong and what to do; or, instead, what
// keeps the diagram from running, in the order in which it is best mended, each with its fixes.
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { clockTime } from '../draft.js';
import { Icon } from './fields.jsx';
import { clear } from './mending.js';
import { adviceOf } from './places.js';

const MOST = 100;

function heading(state) {
  const { kind, findings } = state;
  if (!findings.length && kind === 'checking' && !state.at) return 'Problems';
  return findings.length === 1 ? '1 problem' : findings.length ? `${findings.length} problems` : 'No problems';
}

function when(state) {
  if (state.kind === 'failed') return `not checked: ${state.why}`;
  if (state.kind === 'checking') return 'checking …';
  return `checked ${clockTime(state.at)}`;
}

function Row({ finding, here, file, act }) {
  const bad = finding.severity === 'error';
  const elsewhere = finding.file !== file;
  const plain = finding.file.replace(/^(processes|forms)\//, '');
  const words = finding.name || finding.element || plain;
  const small = [finding.name && finding.element, elsewhere && finding.element && plain, finding.line && `line ${finding.line}`];
  return (
    <tr class={here ? 'here' : undefined}>
      <td class="nowrap">
        <span class={bad ? 'state bad' : 'state warn'}>
          <Icon name={bad ? 'warning' : 'info'} />
          {bad ? 'must mend' : 'look at'}
        </span>
      </td>
      <th scope="row">
        <a
          href={`#${finding.element || ''}`}
          onClick={(event) => {
            event.preventDefault();
            act.show(finding);
          }}
        >
          {words}
        </a>{' '}
        <small class="mute code">{small.filter(Boolean).join(', ')}</small>
      </th>
      <td>{finding.message}</td>
      <td class="mute">
        {adviceOf(finding)}
        {act.mend && <Fixes finding={finding} mend={act.mend} />}
      </td>
    </tr>
  );
}

// The fix that follows from the diagram on a button of its own; what a person has to choose from in a list.
function Fixes({ finding, mend }) {
  const { fix, label, others = [], name, element, file } = finding;
  const [other, setOther] = useState('');
  if (!fix && !others.length) return null;
  return (
    <div class="fixes">
      {fix && (
        <button type="button" class="tight" onClick={(event) => mend(finding, fix, event.currentTarget)}>
          {label}
        </button>
      )}
      {others.length > 0 && (
        <>
          <select value={other} aria-label={`Fixes for ${name || element || file}`} onChange={(event) => setOther(event.currentTarget.value)}>
            <option value="">{fix ? 'Or …' : 'Choose …'}</option>
            {others.map((each) => (
              <option key={each.fix} value={each.fix}>
                {each.label}
              </option>
            ))}
          </select>
          {other && (
            <button type="button" class="tight" onClick={(event) => mend(finding, other, event.currentTarget)}>
              Do it
            </button>
          )}
        </>
      )}
    </div>
  );
}

// What is missing until the diagram runs.
function Missing({ view }) {
  const { missing, file, chosen, act } = view;
  const sure = clear(missing).length;
  const needed = missing.filter((each) => each.needed).length;
  return (
    <>
      <div class="head">
        <h2>
          {needed === 0 ? 'It can run' : needed === 1 ? '1 thing is missing until it runs' : `${needed} things are missing until it runs`}{' '}
          <span class="mute small light" role="status">
            {view.mending}
          </span>
        </h2>
        <div class="tools small">
          {sure > 0 && (
            <button type="button" class="tight" onClick={(event) => act.mendAll(event.currentTarget)}>
              {sure === 1 ? 'Mend the one that is clear' : `Mend the ${sure} that are clear`}
            </button>
          )}
          <button type="button" class="link" onClick={act.hideMissing}>
            All problems
          </button>
        </div>
      </div>
      {missing.length > 0 && (
        <table class="stack" aria-label="What is missing">
          <tbody>
            {missing.slice(0, MOST).map((each, index) => (
              <Row
                key={`${each.file} ${each.element} ${each.rule} ${index}`}
                finding={{ ...each, message: each.missing, severity: each.needed ? 'error' : 'warning' }}
                here={each.file === file && each.element && each.element === chosen}
                file={file}
                act={act}
              />
            ))}
          </tbody>
        </table>
      )}
      {missing.length > MOST && <p class="hint">And {missing.length - MOST} more; mend these first.</p>}
    </>
  );
}

function List({ view }) {
  const [, again] = useState(0);
  const [only, setOnly] = useState('');
  useEffect(() => {
    view.refresh = () => again((n) => n + 1);
  }, []);
  if (view.missing) return <Missing view={view} />;
  const { state, chosen, file, act } = view;
  const count = (severity) => state.findings.filter((each) => each.severity === severity).length;
  const [bad, warn] = [count('error'), count('warning')];
  const showing = only && count(only) ? only : '';
  const shown = state.findings.filter((each) => !showing || each.severity === showing);
  const filter = (severity, words, number) =>
    number > 0 && (
      <button
        type="button"
        class="link"
        aria-pressed={showing === severity}
        onClick={() => setOnly(showing === severity ? '' : severity)}
      >
        {words} {number}
      </button>
    );
  return (
    <>
      <div class="head">
        <h2>
          {heading(state)}{' '}
          <span class="mute small light" role="status">
            {when(state)}
          </span>
        </h2>
        <div class="tools small" role="group" aria-label="Filter problems">
          {filter('error', 'Must mend', bad)}
          {filter('warning', 'Look at', warn)}
          {act.showMissing && bad > 0 && (
            <button type="button" class="link" onClick={act.showMissing}>
              Make it executable
            </button>
          )}
        </div>
      </div>
      {shown.length > 0 && (
        <table class="stack" aria-label="Problems">
          <tbody>
            {shown.slice(0, MOST).map((finding, index) => (
              <Row
                key={`${finding.file} ${finding.element} ${finding.rule} ${index}`}
                finding={finding}
                here={finding.file === file && finding.element && finding.element === chosen}
                file={file}
                act={act}
              />
            ))}
          </tbody>
        </table>
      )}
      {shown.length > MOST && <p class="hint">And {shown.length - MOST} more; mend these first.</p>}
      {!shown.length && state.kind === 'checked' && <p class="mute">Everything that is checked is in order.</p>}
    </>
  );
}

// `act`: { show(finding) } and, where something can be changed, { mend(finding, fix, button), mendAll(button),
// showMissing(), hideMissing() }. `missing` is what keeps it from running, null while problems are shown.
export function showProblems(place, act) {
  const state = { kind: 'checking', findings: [], at: null };
  const view = { state, missing: null, mending: '', chosen: '', file: '', act, refresh: () => {} };
  render(<List view={view} />, place);
  return {
    update: (values) => {
      Object.assign(view, values);
      view.refresh();
    },
  };
}
