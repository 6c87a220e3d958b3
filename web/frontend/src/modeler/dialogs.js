// The page's dialogs and menus: asking for a text, menus that close, telling something in a notice.

export const byId = (id) => document.getElementById(id);

// Asks for one text; `then` gets it. `wrong(text)` says what speaks against one, '' when nothing does. The dialog is in the page, so it works with keys and screen readers.
export function ask(label, example, then, value = '', wrong = () => '') {
  const dialog = byId('ask');
  const input = dialog.querySelector('input');
  dialog.querySelector('h2').textContent = label;
  input.setAttribute('aria-label', label);
  input.placeholder = example;
  input.value = value;
  const fault = dialog.querySelector('.err');
  input.oninput = () => {
    fault.hidden = true;
    input.setCustomValidity(input.value.trim() && wrong(input.value.trim()));
  };
  input.oninvalid = (event) => {
    event.preventDefault(); // the page says it itself, where it stays to be read
    fault.textContent = input.validationMessage;
    fault.hidden = false;
  };
  input.oninput();
  dialog.onclose = () => {
    const text = input.value.trim();
    if (dialog.returnValue === 'ok' && text) then(text);
  };
  dialog.returnValue = '';
  dialog.showModal();
  input.select();
}

// `choices`: [label, act], for buttons beside that which closes it. Gives what takes it away again.
export function tell(title, text, kind = '', choices = []) {
  const box = document.createElement('div');
  box.className = `notice ${kind}`;
  box.setAttribute('role', kind === 'bad' ? 'alert' : 'status');
  const head = document.createElement('h3');
  head.textContent = title;
  const body = document.createElement('p');
  body.textContent = text;
  const buttons = document.createElement('p');
  buttons.className = 'tools';
  for (const [label, act] of [...choices, ['Close', () => {}]]) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'tight';
    button.textContent = label;
    button.addEventListener('click', () => {
      box.remove();
      act();
    });
    buttons.append(button);
  }
  box.append(head, body, buttons);
  byId('told').replaceChildren(box);
  return () => box.remove();
}

export function closeMenus(except = null) {
  for (const menu of document.querySelectorAll('details.menu[open]')) if (menu !== except) menu.open = false;
}

export function menus() {
  document.addEventListener('click', (event) => {
    const inside = event.target.closest('details.menu');
    if (!inside || event.target.closest('.drop a, .drop button')) closeMenus();
    else closeMenus(inside);
  });
  document.addEventListener('keydown', (event) => {
    const open = event.key === 'Escape' && document.querySelector('details.menu[open]');
    if (!open) return;
    open.open = false;
    open.querySelector('summary').focus();
  });
}
