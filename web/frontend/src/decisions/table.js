// dmn-js with what the engine runs and nothing else: one table, two hit policies, cells that are typed as text.
import 'dmn-js/dist/assets/dmn-js-shared.css';
import 'dmn-js/dist/assets/dmn-js-decision-table.css';
import 'dmn-js/dist/assets/dmn-js-decision-table-controls.css';
import 'dmn-js/dist/assets/dmn-font/css/dmn.css';
import EditingManager from 'dmn-js-shared/lib/base/EditingManager';
import { is } from 'dmn-js-shared/lib/util/ModelUtil';
import Editor from 'dmn-js-decision-table/lib/Editor';
import Viewer from 'dmn-js-decision-table/lib/Viewer';
import { HIT_POLICIES } from 'dmn-js-decision-table/lib/features/hit-policy/HitPolicies';
import expressionLanguage from 'dmn-js-decision-table/lib/features/expression-language';
import simpleBoolean from 'dmn-js-decision-table/lib/features/simple-boolean-edit';
import simpleDate from 'dmn-js-decision-table/lib/features/simple-date-edit';
import simpleDateTime from 'dmn-js-decision-table/lib/features/simple-date-time-edit';
import simpleDuration from 'dmn-js-decision-table/lib/features/simple-duration-edit';
import simpleMode from 'dmn-js-decision-table/lib/features/simple-mode';
import simpleNumber from 'dmn-js-decision-table/lib/features/simple-number-edit';
import simpleString from 'dmn-js-decision-table/lib/features/simple-string-edit';
import simpleTime from 'dmn-js-decision-table/lib/features/simple-time-edit';

// the dialogs beside a cell write ranges, lists, dates and not(…), which are not run
const NOT_RUN = [
  expressionLanguage, simpleBoolean, simpleDate, simpleDateTime, simpleDuration, simpleMode, simpleNumber, simpleString,
  simpleTime,
];
const POLICIES = { UNIQUE: 'Unique: one row answers', COLLECT: 'Collect: every row that matches answers' };
const TYPES = ['string', 'number', 'integer', 'boolean'];
const nothing = { allowedValuesEditingProvider: ['value', null] }; // lists of allowed values are not checked when run

class RunEditor extends Editor {
  getModules() {
    return [...super.getModules().filter((module) => !NOT_RUN.includes(module)), nothing];
  }
}

const isTable = (element) => is(element, 'dmn:Decision') && is(element.decisionLogic, 'dmn:DecisionTable');

export class TableEditor extends EditingManager {
  constructor(options) {
    // any language but FEEL: its editor would colour and complete what is not our language
    const expressionLanguages = {
      options: [{ value: 'waybill', label: 'Expression' }],
      defaults: { editor: 'waybill', inputCell: 'waybill', outputCell: 'waybill' },
    };
    super({ ...options, common: { expressionLanguages, dataTypes: TYPES } });
  }

  _getViewProviders() {
    return [{ id: 'decisionTable', constructor: this._options.readOnly ? Viewer : RunEditor, opens: isTable }];
  }
}

// Offers the two policies that are run; another one that the file has stays in the list, named as what it is.
export function offerPolicies(xml) {
  const table = new DOMParser().parseFromString(xml, 'text/xml').querySelector('decisionTable');
  const has = table?.getAttribute('hitPolicy') || 'UNIQUE';
  const aggregation = table?.getAttribute('aggregation') || undefined;
  const offered = Object.entries(POLICIES).map(([hitPolicy, label]) => ({
    label, value: { hitPolicy, aggregation: undefined }, explanation: label,
  }));
  if (!POLICIES[has] || aggregation) {
    const name = `${has[0]}${has.slice(1).toLowerCase()}${aggregation ? ` (${aggregation.toLowerCase()})` : ''}`;
    const label = `${name}: is not run`;
    offered.push({ label, value: { hitPolicy: has, aggregation }, explanation: label });
  }
  HIT_POLICIES.splice(0, HIT_POLICIES.length, ...offered);
}

// Where an element of the table stands, in words: its row and its column, as far as it has them.
export function whereIs(definitions, id) {
  const decision = (definitions?.drgElement || []).find(isTable);
  const table = decision?.decisionLogic;
  if (!table || !id) return 'Table';
  const columns = [...(table.input || []), ...(table.output || [])];
  const column = columns.find((one) => one.id === id || one.inputExpression?.id === id);
  if (column) return `Column ${title(column)}`;
  for (const [index, rule] of (table.rule || []).entries()) {
    if (rule.id === id) return `Row ${index + 1}`;
    const cells = [...(rule.inputEntry || []), ...(rule.outputEntry || [])];
    const at = cells.findIndex((one) => one.id === id);
    if (at >= 0) return `Row ${index + 1}, ${title(columns[at])}`;
  }
  return 'Table';
}

const title = (column) => column?.label || column?.name || column?.inputExpression?.text || 'column';

// The first cell that can be chosen for a finding about this element.
export function cellOf(definitions, id) {
  const table = (definitions?.drgElement || []).find(isTable)?.decisionLogic;
  const rule = table?.rule?.find((one) => one.id === id);
  return rule ? rule.inputEntry[0]?.id : id;
}

export function rowIds(definitions) {
  const table = (definitions?.drgElement || []).find(isTable)?.decisionLogic;
  return (table?.rule || []).map((rule) => rule.id);
}

// A row is added above the last when that one takes all the rest: below it, no row would ever be asked.
export function rowPlace(definitions) {
  const table = (definitions?.drgElement || []).find(isTable)?.decisionLogic;
  const rules = table?.rule || [];
  const last = rules.at(-1);
  const takesAll = last?.inputEntry?.every((cell) => ['', '-'].includes((cell.text || '').trim()));
  return (table?.hitPolicy || 'UNIQUE') === 'UNIQUE' && takesAll ? rules.length - 1 : rules.length;
}
