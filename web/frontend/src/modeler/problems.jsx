// The list of problems below the canvas: each with its element, its line, what is wrong and what to do.
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { clockTime } from '../draft.js';
import { Icon } from './fields.jsx';
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
        {finding.fix && act.mend && (
          <button type="button" class="tight" onClick={(event) => act.mend(finding, event.currentTarget)}>
            Mend it
          </button>
        )}
      </td>
    </tr>
  );
}

function List({ view }) {
  const [, again] = useState(0);
  const [only, setOnly] = useState('');
  useEffect(() => {
    view.refresh = () => again((n) => n + 1);
  }, []);
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

// `act`: { show(finding), mend?(finding, button) }.
export function showProblems(place, act) {
  const view = { state: { kind: 'checking', findings: [], at: null }, chosen: '', file: '', act, refresh: () => {} };
  render(<List view={view} />, place);
  return {
    update: (values) => {
      Object.assign(view, values);
      view.refresh();
    },
  };
}
