// Which field of the panel a finding of the check belongs to, by its rule and by how its sentence begins.

const BY_SENTENCE = [
  [/^The condition\b/, 'condition'],
  [/^The parameter '([^']+)'/, 'parameter'],
  [/ needs the parameter '([^']+)'/, 'parameter'],
  [/takes no parameter '([^']+)'/, 'parameter'],
  [/^The number of signatures/, 'signatures'],
  [/^What it accepts/, 'accepts'],
  [/^The timer/, 'timer'],
  [/^The script/, 'script'],
  [/\bsubmits\b/, 'submits'],
  [/\bsendBackTo\b|send back/, 'sendBackTo'],
  [/\bonComplete\b/, 'onComplete'],
  [/\bformContext\b/, 'formContext'],
  [/\bsubmission\b|what is signed/, 'submission'],
  [/^The (message|result) variable|result variable/, 'resultVariable'],
  [/\bcommits\b/, 'commits'],
  [/\bcancels\b/, 'cancels'],
];
const BY_RULE = {
  'no-name': 'name',
  id: 'id',
  'duplicate-id': 'id',
  'reserved-id': 'id',
  'operator-id': 'id',
  team: 'team',
  'lane-team': 'team',
  'lane-teams': 'teams',
  'escalate-to': 'escalateTo',
  due: 'due',
  form: 'form',
  kind: 'kind',
  'approval-property': 'kind',
  'separate-from': 'separateFrom',
  'no-operator': 'operation',
  'unknown-operation': 'operation',
  'wrong-operation': 'operation',
  retry: 'operation',
  'no-decision': 'decision',
  'unknown-decision': 'decision',
  script: 'script',
  timer: 'timer',
  message: 'message',
  error: 'error',
  'error-twice': 'error',
  escalation: 'error',
  signal: 'error',
  accepts: 'accepts',
  'no-condition': 'condition',
  'condition-twice': 'condition',
  'no-default': 'default',
  'default-flow': 'default',
  repetition: 'repetition',
  step: 'step',
  requires: 'requires',
  cancels: 'cancels',
  cancellation: 'cancellation',
  'not-executable': 'executable',
  'called-process': 'called',
  'calls-itself': 'called',
};

// Where the panel has a field, the advice names it instead of what it writes into the file.
const FIELDS = {
  executable: 'Tick “Can be run” at the process.',
  team: 'Choose a team under People.',
  due: 'Write under People when it is due, for example 4 h.',
  escalateTo: 'Choose a team under People.',
  form: 'Choose a form under Form, or make a new one.',
  resultVariable: 'Choose the operation under Form, or empty the field.',
  submits: 'Tick the steps under review under Approval.',
  sendBackTo: 'Tick under Approval where it may be sent back to.',
  submission: 'Choose under Approval what is signed.',
  kind: 'Choose under Form what people do.',
  requires: 'Tick under Step which approvals must still hold here.',
  cancels: 'Choose at the process which one undoes it.',
  teams: 'Tick who works in this lane.',
};

// Fields take times as people write them, so what is said of them does too.
export function worded(finding) {
  const own = (text) => text?.replace(/Write it as ISO 8601 says: PT4H.*/s, 'Write for example 4 h or 3 d.');
  return { ...finding, message: own(finding.message), ...(finding.missing && { missing: own(finding.missing) }) };
}

export function adviceOf(finding) {
  const own = /^(Set (the propert|its propert|"Executable")|List the ids of the approvals)/.test(finding.advice) && FIELDS[placeOf(finding)];
  return own || finding.advice;
}

export function placeOf(finding) {
  for (const [pattern, place] of BY_SENTENCE) {
    const found = pattern.exec(finding.message);
    if (found) return place === 'parameter' && found[1] ? `parameter:${found[1]}` : place;
  }
  return BY_RULE[finding.rule] || '';
}

// The findings of one element by field; what no field shows stands under '' at the panel's head.
export class Placed {
  constructor(findings, fields) {
    this.by = new Map();
    for (const finding of findings) {
      const place = placeOf(finding);
      const known = fields.has(place) ? place : '';
      this.by.set(known, [...(this.by.get(known) || []), finding]);
    }
    for (const list of this.by.values()) list.sort((a, b) => (a.severity === b.severity ? 0 : a.severity === 'error' ? -1 : 1));
  }

  first(place) {
    return this.by.get(place)?.[0];
  }

  all(place) {
    return this.by.get(place) || [];
  }

  count(...places) {
    return places.reduce((sum, place) => sum + this.all(place).length, 0);
  }
}
