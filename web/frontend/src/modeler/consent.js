// "Ask for consent…": blocked while something must be mended; else a reason, and on to the page of the new version.
import { byId } from './dialogs.js';

const MOST = 6;

function list(errors, show, dialog) {
  return errors.slice(0, MOST).map((finding) => {
    const item = document.createElement('li');
    const link = document.createElement('a');
    link.href = '#';
    link.textContent = finding.name || finding.element || finding.file;
    link.addEventListener('click', (event) => {
      event.preventDefault();
      dialog.close();
      show(finding);
    });
    item.append(link, ` ${finding.message}`);
    return item;
  });
}

export function consenting({ draft, checking, show }) {
  const dialog = byId('consent');
  const form = dialog.querySelector('form');
  const [blocked, ready, failed] = ['[data-blocked]', '[data-ready]', '[data-failed]'].map((each) => form.querySelector(each));
  const send = form.querySelector('.primary');
  const reason = form.querySelector('textarea');

  async function open() {
    failed.hidden = true;
    ready.hidden = blocked.hidden = true;
    send.disabled = true;
    dialog.showModal();
    const saved = await draft.flush();
    const findings = await checking.now();
    if (!saved || !findings) return fail('It is not saved and checked yet. Try again in a moment.');
    const errors = findings.filter((each) => each.severity === 'error');
    blocked.hidden = errors.length === 0;
    ready.hidden = errors.length > 0;
    send.disabled = errors.length > 0;
    blocked.querySelector('h3').textContent =
      errors.length === 1 ? 'One problem must be mended first' : `${errors.length} problems must be mended first`;
    blocked.querySelector('ul').replaceChildren(...list(errors, show, dialog));
    if (!errors.length) reason.focus();
    return undefined;
  }

  function fail(text) {
    failed.hidden = false;
    failed.querySelector('p').textContent = text;
  }

  form.addEventListener('submit', async (event) => {
    if (event.submitter !== send) return;
    event.preventDefault();
    if (!reason.value.trim()) {
      reason.setAttribute('aria-invalid', 'true');
      reason.focus();
      return;
    }
    send.disabled = true;
    try {
      await draft.flush();
      const answer = await draft.call('POST', '/submit', { reason: reason.value.trim(), revision: draft.revision });
      location.assign(`/processes/${encodeURIComponent(answer.key)}/${answer.version}`);
    } catch (error) {
      send.disabled = false;
      fail(error.message);
    }
  });
  byId('ask-consent').addEventListener('click', open);
}
