// What is being typed in the panel and is not yet in the diagram: handed over after a pause, on leaving the field, and
// before anything is saved or checked.
import { useEffect, useRef, useState } from 'preact/hooks';

const PAUSE = 350;
const pending = new Set();

let naming = null; // ends the typing of a name on the canvas

// `all`: a name that is being typed on the canvas too. That closes its box, so it waits until somebody leaves or saves.
export function handOver(all = false) {
  for (const flush of [...pending]) flush();
  if (all) naming?.();
}

export const isTyping = () => pending.size > 0 || naming !== null;

// `ontouch()`: a letter was typed on the canvas; `onend()`: its box is closed, with or without a new name.
export function watchNaming(modeler, { ontouch, onend }) {
  const editing = modeler.get('directEditing');
  const typed = () => {
    naming = () => editing.complete();
    ontouch();
  };
  modeler.on('directEditing.activate', () => editing.$textbox.addEventListener('input', typed));
  modeler.on(['directEditing.deactivate', 'diagram.clear'], () => {
    naming = null;
    onend();
  });
}

// A text field's value and handlers. `commit` gets the text; with `late` only when the field is left or Enter is hit.
export function useTyped(value, commit, late = false) {
  const [text, setText] = useState(null);
  const own = useRef({ text: null, timer: 0 }).current;
  own.commit = commit;
  if (!own.flush) {
    own.flush = () => {
      clearTimeout(own.timer);
      pending.delete(own.flush);
      const typed = own.text;
      own.text = null;
      if (typed !== null) own.commit(typed);
    };
  }
  useEffect(() => own.flush, []);
  return {
    value: text ?? value,
    onInput: (event) => {
      own.text = event.currentTarget.value;
      setText(own.text);
      clearTimeout(own.timer);
      if (!late) {
        pending.add(own.flush);
        own.timer = setTimeout(own.flush, PAUSE);
      }
    },
    onBlur: () => {
      own.flush();
      setText(null);
    },
    onKeyDown: (event) => {
      if (event.key === 'Escape') {
        own.text = null;
        clearTimeout(own.timer);
        pending.delete(own.flush);
        setText(null);
        event.currentTarget.blur();
      } else if (event.key === 'Enter' && event.currentTarget.tagName === 'INPUT') {
        own.flush();
        setText(null);
      }
    },
  };
}
