// The fields of the panel. Each shows its label, the first problem that the check found for it, and a hint.
import { adviceOf } from './places.js';
import { useTyped } from './typing.js';

export function Icon({ name }) {
  const path = {
    warning: 'M8 2.2 14.4 13.4H1.6zM8 6.5v3M8 11.6v.1',
    info: 'M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2zM8 7.4v3.4M8 5.2v.1',
    check: 'm3 8.6 3.2 3.2L13 4.6',
  }[name];
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={path} />
    </svg>
  );
}

// `near`: it stands at the field itself, so that nobody needs to be told where to go.
export function Problem({ id, finding, near }) {
  if (!finding) return null;
  const bad = finding.severity === 'error';
  return (
    <p class={bad ? 'err' : 'err look'} id={id}>
      <Icon name={bad ? 'warning' : 'info'} />
      <span>
        {finding.message}{' '}
        {!(near && adviceOf(finding) !== finding.advice) && <span class="light">{adviceOf(finding)}</span>}
      </span>
    </p>
  );
}

function Frame({ id, label, optional, hint, finding, children }) {
  return (
    <div class="field">
      <label for={id}>
        {label}
        {optional && <span class="opt"> optional</span>}
      </label>
      {children}
      <Problem id={`${id}-problem`} finding={finding} near />
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

const described = ({ id, hint, finding }) => ({
  id,
  'aria-invalid': finding?.severity === 'error' ? 'true' : undefined,
  'aria-describedby': [finding && `${id}-problem`, hint && `${id}-hint`].filter(Boolean).join(' ') || undefined,
});

export function Text(props) {
  const { value, onSet, area, code, late, list, placeholder, rows } = props;
  const typed = useTyped(value || '', onSet, late);
  const common = { ...described(props), ...typed, placeholder, class: code ? 'code' : undefined, spellcheck: !code };
  return (
    <Frame {...props}>
      {area ? <textarea {...common} rows={rows || 3} /> : <input {...common} autocomplete="off" list={list} />}
    </Frame>
  );
}

// `options`: [value, words] or [group, [[value, words], …]]. A value that is no option is shown as it is.
export function Select(props) {
  const { value, onSet, options, empty } = props;
  const flat = options.flatMap(([first, second]) => (Array.isArray(second) ? second : [[first, second]]));
  const strange = value && !flat.some(([known]) => known === value);
  const option = ([known, words]) => (
    <option value={known} key={known} selected={known === value}>
      {words}
    </option>
  );
  return (
    <Frame {...props}>
      <select {...described(props)} onChange={(event) => onSet(event.currentTarget.value)} value={value || ''}>
        {empty !== undefined && <option value="">{empty}</option>}
        {strange && <option value={value}>{value} (unknown)</option>}
        {options.map((each) =>
          Array.isArray(each[1]) ? (
            <optgroup label={each[0]} key={each[0]}>
              {each[1].map(option)}
            </optgroup>
          ) : (
            option(each)
          ),
        )}
      </select>
    </Frame>
  );
}

export function Check({ id, label, value, onSet, hint, finding }) {
  return (
    <div class="field">
      <label class="check" for={id}>
        <input
          type="checkbox"
          checked={value}
          onChange={(event) => onSet(event.currentTarget.checked)}
          {...described({ id, hint, finding })}
        />
        {label}
      </label>
      <Problem id={`${id}-problem`} finding={finding} near />
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

// Several of a list, kept as one text: "3,4".
export function Several({ id, label, value, onSet, options, hint, finding, optional }) {
  const chosen = (value || '').split(',').map((part) => part.trim()).filter(Boolean);
  const strange = chosen.filter((each) => !options.some(([known]) => known === each)).map((each) => [each, `${each} (unknown)`]);
  const all = [...options, ...strange];
  const change = (known, on) =>
    onSet(all.map(([each]) => each).filter((each) => (each === known ? on : chosen.includes(each))).join(','));
  return (
    <fieldset class="field" aria-describedby={finding ? `${id}-problem` : undefined}>
      <legend class="label-text">
        {label}
        {optional && <span class="opt"> optional</span>}
      </legend>
      <div class="several">
        {all.map(([known, words]) => (
          <label class="check" key={known}>
            <input
              type="checkbox"
              checked={chosen.includes(known)}
              onChange={(event) => change(known, event.currentTarget.checked)}
            />
            {words}
          </label>
        ))}
        {!all.length && <p class="hint">There is nothing to choose yet.</p>}
      </div>
      <Problem id={`${id}-problem`} finding={finding} near />
      {hint && <p class="hint">{hint}</p>}
    </fieldset>
  );
}

const opened = new Map();

// One section of the panel. Whether it is open is remembered for all elements.
export function Group({ name, title, note, problems, open = true, children }) {
  const isOpen = problems > 0 || (opened.has(name) ? opened.get(name) : open);
  return (
    <details open={isOpen} onToggle={(event) => opened.set(name, event.currentTarget.open)}>
      <summary>
        {title}
        {problems ? (
          <span class="count bad">{problems === 1 ? '1 problem' : `${problems} problems`}</span>
        ) : (
          note && <span class="count">{note}</span>
        )}
      </summary>
      {children}
    </details>
  );
}
