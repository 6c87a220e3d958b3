// The texts that scripts show. English stands here; where the reader has another language, its texts come with the page.
// `make texts` finds them by `_('…')`; see docs/translating.md.

const texts = JSON.parse(document.getElementById('texts')?.textContent || '{}');

/** The text in the reader's language, with each `%(name)s` in it replaced by that value. */
export const _ = (text, values = {}) => (texts[text] ?? text).replace(/%\((\w+)\)s/g, (whole, name) => values[name] ?? whole);
