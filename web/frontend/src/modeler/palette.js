// The palette: the tools, and the elements that the engine runs.

const icons = {
  hand: '<path d="M5 8.5V3.8a1 1 0 0 1 2 0V7m0-4.2a1 1 0 0 1 2 0V7m0-3.4a1 1 0 0 1 2 0V8m0-2.2a1 1 0 0 1 2 0V10c0 2.6-1.6 4.2-4 4.2-2 0-3-.9-3.8-2.3L3 9.4c-.5-1 .8-1.7 1.4-1z"/>',
  lasso: '<path d="M2.5 2.5h2m2.5 0h2m2.5 0h2v2m0 2.5v2m0 2.5v2h-2m-2.5 0h-2m-2.5 0h-2v-2m0-2.5v-2m0-2.5v-2"/>',
  space: '<path d="M8 2v12M5.2 5.2 2.4 8l2.8 2.8M10.8 5.2 13.6 8l-2.8 2.8"/>',
  connect: '<path d="M3 13 13 3M6.5 3H13v6.5"/>',
  start: '<circle cx="8" cy="8" r="5.5"/>',
  wait: '<circle cx="8" cy="8" r="6"/><circle cx="8" cy="8" r="3.8"/>',
  end: '<circle cx="8" cy="8" r="5.5" stroke-width="2.6"/>',
  gateway: '<path d="m8 1.8 6.2 6.2L8 14.2 1.8 8z"/>',
  user: '<circle cx="6" cy="5.2" r="2.4"/><path d="M1.5 13.4c0-5 9-5 9 0M10.6 3.1a2.3 2.3 0 0 1 0 4.3M12.2 9.9c1.5.5 2.3 1.7 2.3 3.5"/>',
  service:
    '<circle cx="8" cy="8" r="2.2"/><path d="M8 1.8v2.4M8 11.8v2.4M1.8 8h2.4M11.8 8h2.4M3.6 3.6l1.7 1.7M10.7 10.7l1.7 1.7M12.4 3.6l-1.7 1.7M5.3 10.7l-1.7 1.7"/>',
  decision: '<path d="M2 3h12v10H2zM2 6.4h12M6.4 6.4V13"/>',
  receive: '<path d="M1.8 3.5h12.4v9H1.8zM2 4l6 5 6-5"/>',
  subprocess: '<rect x="1.8" y="3.6" width="12.4" height="8.8" rx="2"/><path d="M8 6.6v3M6.5 8.1h3"/>',
  pool: '<path d="M1.8 3h12.4v10H1.8zM5 3v10M5 8h9.2"/>',
  note: '<path d="M7 2.5H3v11h4M6 5.5h7.5M6 8h7.5M6 10.5h5"/>',
};

const ELEMENTS = [
  ['start-event', 'start', 'Start event', { type: 'bpmn:StartEvent' }],
  ['timer', 'wait', 'Event that waits', { type: 'bpmn:IntermediateCatchEvent', eventDefinitionType: 'bpmn:TimerEventDefinition' }],
  ['end-event', 'end', 'End event', { type: 'bpmn:EndEvent' }],
  ['gateway', 'gateway', 'Exclusive gateway', { type: 'bpmn:ExclusiveGateway' }],
  ['user-task', 'user', 'User task', { type: 'bpmn:UserTask' }],
  ['service-task', 'service', 'Service task', { type: 'bpmn:ServiceTask' }],
  ['decision', 'decision', 'Decision table', { type: 'bpmn:BusinessRuleTask' }],
  ['receive-task', 'receive', 'Task that waits for a message', { type: 'bpmn:ReceiveTask' }],
  ['subprocess', 'subprocess', 'Subprocess', { type: 'bpmn:SubProcess', isExpanded: true }],
  ['note', 'note', 'Note', { type: 'bpmn:TextAnnotation' }],
];

const html = (name) =>
  `<div class="entry" draggable="true" tabindex="0"><svg class="icon" viewBox="0 0 16 16" aria-hidden="true">${icons[name]}</svg></div>`;

class Palette {
  static $inject = ['palette', 'create', 'elementFactory', 'handTool', 'lassoTool', 'spaceTool', 'globalConnect', 'eventBus', 'canvas', 'modeling', 'selection'];

  constructor(palette, create, elementFactory, handTool, lassoTool, spaceTool, globalConnect, eventBus, canvas, modeling, selection) {
    Object.assign(this, { create, elementFactory, handTool, lassoTool, spaceTool, globalConnect, canvas, modeling, selection });
    palette.registerProvider(this);
    eventBus.on('palette.create', ({ container }) => {
      container.setAttribute('role', 'toolbar');
      container.setAttribute('aria-label', 'Elements');
      container.setAttribute('aria-orientation', 'vertical');
      container.addEventListener('keydown', (event) => this.#key(event));
    });
  }

  // Enter and space put an element into the middle of what is seen: nobody needs a mouse.
  #key(event) {
    const entry = event.target.closest('.entry');
    if (!entry) return;
    const all = [...entry.closest('.djs-palette').querySelectorAll('.entry')];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      all[(all.indexOf(entry) + step + all.length) % all.length].focus();
    } else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      const wanted = ELEMENTS.find(([name]) => entry.dataset.action === `create.${name}`);
      if (wanted) this.#place(wanted[3]);
      else entry.click();
    }
  }

  #place(attributes) {
    const { x, y, width, height } = this.canvas.viewbox();
    const root = this.canvas.getRootElement();
    const pool = root.children.find((each) => each.type === 'bpmn:Participant');
    const made = this.modeling.createShape(this.#made(attributes), { x: x + width / 2, y: y + height / 2 }, pool || root);
    this.selection.select(made);
  }

  getPaletteEntries() {
    const tool = (name, title, act) => ({ group: 'tools', title, html: html(name), action: { click: act } });
    const entries = {
      'hand-tool': tool('hand', 'Move the canvas', (event) => this.handTool.activateHand(event)),
      'lasso-tool': tool('lasso', 'Choose several', (event) => this.lassoTool.activateSelection(event)),
      'space-tool': tool('space', 'Make or remove space', (event) => this.spaceTool.activateSelection(event)),
      'global-connect-tool': tool('connect', 'Connect', (event) => this.globalConnect.start(event)),
      'tool-separator': { group: 'tools', separator: true },
    };
    for (const [name, icon, title, attributes] of ELEMENTS) {
      const start = (event) => this.create.start(event, this.#made(attributes));
      entries[`create.${name}`] = { group: 'elements', title, html: html(icon), action: { dragstart: start, click: start } };
    }
    const pool = (event) => this.create.start(event, this.elementFactory.createParticipantShape());
    entries['create.pool'] = { group: 'elements', title: 'Pool with lanes', html: html('pool'), action: { dragstart: pool, click: pool } };
    return entries;
  }

  #made(attributes) {
    return this.elementFactory.createShape(attributes);
  }
}

// What the engine refuses is not offered by the menus that add an element or turn one into another.
const REFUSED =
  /ad-?hoc|compensat|conditional-(start|intermediate|boundary|non)|link|complex|manual|send-task|event-sub-?process|multiple|instantiat|data-|(message|timer|signal|conditional|escalation|error)-start|message-(end|intermediate-throw)|signal-end|(with|append|create)-task$/;

class Menus {
  static $inject = ['popupMenu'];

  constructor(popupMenu) {
    for (const menu of ['bpmn-replace', 'bpmn-append', 'bpmn-create']) popupMenu.registerProvider(menu, 500, this);
  }

  getPopupMenuEntries() {
    return (entries) => Object.fromEntries(Object.entries(entries).filter(([id]) => !REFUSED.test(id)));
  }
}

export default {
  __init__: ['paletteProvider', 'waybillMenus'],
  paletteProvider: ['type', Palette],
  waybillMenus: ['type', Menus],
};
