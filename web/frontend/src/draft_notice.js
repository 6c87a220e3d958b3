// Says how the saving of a draft stands: a few words in the header, and a notice with the choices when people meet.
import { ago, clockTime } from './draft.js';

const words = {
  saved: (state) => (state.at ? `Saved ${clockTime(state.at)}` : 'Nothing changed yet'),
  waiting: () => 'Changed',
  saving: () => 'Saving …',
  failed: (state) => `Not saved: ${state.why}${state.again ? ', trying again' : ''}`,
  conflict: () => 'Not saved', // the notice says the rest
  gone: () => 'Not saved',
};

function notice(kind, title, text, choices) {
  const box = document.createElement('div');
  box.className = `notice ${kind}`;
  box.setAttribute('role', 'alert');
  const head = document.createElement('h3');
  head.textContent = title;
  const body = document.createElement('p');
  body.textContent = text;
  const buttons = document.createElement('p');
  buttons.className = 'tools';
  for (const [label, act] of choices) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'tight';
    button.textContent = label;
    button.addEventListener('click', async () => {
      button.disabled = true;
      await Promise.resolve(act()).catch((error) => {
        button.disabled = false;
        body.textContent = `That did not work: ${error.message}.`;
      });
    });
    buttons.append(button);
  }
  box.append(head, body, buttons);
  return box;
}

function met(draft) {
  const { by, at } = draft.state;
  const who = by ? draft.name(by) : 'Somebody';
  const when = at ? ` ${ago(at, draft.now())}` : ' in the meantime';
  return notice('bad', `${who} changed the same file${when}`, 'Yours is not saved, and nothing is overwritten.', [
    ['Load theirs, drop mine', () => draft.takeTheirs()],
    ['Keep mine as a copy', () => draft.keepMine()],
  ]);
}

function news(draft) {
  const { by, at } = draft.news;
  const who = by === draft.me ? 'You changed this in another window' : `${draft.name(by)} changed this`;
  const hide = () => {
    draft.news.seen = true;
    draft.onchange();
  };
  return notice('', `${who} ${ago(at, draft.now())}`, draft.unsaved ? 'Your own changes are kept.' : 'You see how it was before.', [
    ['Load it', () => draft.flush().then((saved) => saved && location.reload())],
    ['Go on', hide],
  ]);
}

function gone(draft) {
  const why = { discarded: 'Somebody discarded it.', asked: 'Somebody asked for consent to it.' }[draft.state.state];
  const text = `${why || 'Somebody discarded it or asked for consent.'} Nothing more is saved here.`;
  return notice('bad', 'This draft is closed', text, [
    ['Keep mine as a copy', () => draft.keepMine()],
    ['See all drafts', () => location.assign('/modeler')],
  ]);
}

// Shows the state of `draft` in `status` (a few words) and in `notices` (a place for one notice) whenever it changes.
export function showSaving(draft, { status, notices }) {
  let shown = '';
  const show = () => {
    status.textContent = words[draft.state.kind](draft.state);
    status.classList.toggle('bad', ['failed', 'conflict', 'gone'].includes(draft.state.kind));
    const what =
      { conflict: 'met', gone: 'gone' }[draft.state.kind] ||
      (draft.news && !draft.news.seen ? `news ${draft.news.revision}` : '');
    if (what === shown) return;
    shown = what;
    const make = what.startsWith('news') ? news : { met, gone }[what];
    notices.replaceChildren(...(make ? [make(draft)] : []));
  };
  const before = draft.onchange;
  draft.onchange = () => {
    before();
    show();
  };
  show();
}
