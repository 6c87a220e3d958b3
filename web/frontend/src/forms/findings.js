// The list of problems under an editor: what, where, what to do; a click leads there.

const ICON =
  '<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d="M8 2.2 14.4 13.4H1.6zM8 6.5v3M8 11.6v.1"/></svg>';
const NOTE =
  '<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="6"/><path d="M8 7.4v3.4M8 5.2v.1"/></svg>';

function cell(tag, text, className = '') {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

export function findingRow(finding, label, where, go) {
  const row = document.createElement('tr');
  const bad = finding.severity === 'error';
  const state = cell('td', '', 'nowrap');
  state.innerHTML = `<span class="state ${bad ? 'bad' : 'warn'}">${bad ? ICON : NOTE}${bad ? 'must mend' : 'look at'}</span>`;
  const head = document.createElement('th');
  head.scope = 'row';
  const open = cell('button', label, 'link');
  open.type = 'button';
  open.addEventListener('click', () => go(finding));
  head.append(open, ' ', cell('small', where, 'mute code'));
  row.append(state, head, cell('td', finding.message), cell('td', finding.advice, 'mute'));
  return row;
}

// The check of the whole draft with unsaved files over it; null takes a file out.
export async function checked(id, csrf, files) {
  const reply = await fetch(`/api/v1/drafts/${encodeURIComponent(id)}/check`, {
    method: 'POST',
    credentials: 'same-origin',
    headers: { 'Content-Type': 'application/json', 'X-CSRFToken': csrf },
    body: JSON.stringify({ files }),
  });
  if (!reply.ok) throw new Error(`the server answered ${reply.status}`);
  return reply.json();
}

export function heading(findings) {
  const errors = findings.filter((one) => one.severity === 'error').length;
  const rest = findings.length - errors;
  const look = rest ? `${rest} to look at` : '';
  const mend = errors ? `${errors} problem${errors === 1 ? '' : 's'} to mend` : '';
  return [mend, look].filter(Boolean).join(', ') || 'No problems';
}

export function listFindings(page, { findings, elsewhere }, go) {
  page.querySelector('#problems-title').textContent = heading(findings);
  page.querySelector('#findings').replaceChildren(
    ...findings.map((finding) => {
      const file = finding.file.replace('forms/', '');
      const path = finding.path || 'the whole file';
      return findingRow(finding, `${file}, line ${finding.line}`, path, go);
    }),
  );
  page.querySelector('#elsewhere').textContent = elsewhere
    ? `${elsewhere} problem${elsewhere === 1 ? '' : 's'} in other files of the draft; the diagram’s page lists them.`
    : '';
}
