// Marks on the canvas: what must be mended, what should be looked at. A mark is a button that chooses its element.

const SHAPES = {
  error: '<svg class="mark m-failed" width="22" height="22" viewBox="0 0 22 22"><circle cx="11" cy="11" r="10"/><path d="M11 6v6m0 3.6v.1"/></svg>',
  warning: '<svg class="mark m-changed" width="22" height="22" viewBox="0 0 22 22"><circle cx="11" cy="11" r="10"/><path d="M11 6v6m0 3.6v.1"/></svg>',
};

function place(element) {
  if (element.waypoints) {
    const middle = element.waypoints[Math.floor((element.waypoints.length - 1) / 2)];
    const next = element.waypoints[Math.floor((element.waypoints.length - 1) / 2) + 1] || middle;
    const x = Math.min(...element.waypoints.map((each) => each.x));
    const y = Math.min(...element.waypoints.map((each) => each.y));
    return { left: (middle.x + next.x) / 2 - x - 11, top: (middle.y + next.y) / 2 - y - 11 };
  }
  const gateway = element.width === element.height && element.width > 40;
  return gateway ? { left: element.width - 14, top: element.height - 16 } : { left: -10, top: -11 };
}

// `findings`: element id → findings. `onclick(id)`.
export function markFindings(modeler, findings, onclick) {
  const overlays = modeler.get('overlays');
  const registry = modeler.get('elementRegistry');
  overlays.remove({ type: 'finding' });
  for (const [id, list] of findings) {
    const element = registry.get(id);
    if (!element || !element.parent) continue;
    const severity = list.some((each) => each.severity === 'error') ? 'error' : 'warning';
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'finding';
    button.tabIndex = -1; // the list below says the same in words and is reached by keys
    button.title = list.map((each) => each.message).join('\n');
    button.setAttribute('aria-label', `${severity === 'error' ? 'Must mend' : 'Look at'}: ${list[0].message}`);
    button.innerHTML = SHAPES[severity];
    button.addEventListener('click', () => onclick(id));
    overlays.add(element, 'finding', { position: place(element), html: button });
  }
}
