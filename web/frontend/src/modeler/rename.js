// Gives an element another id, and changes what names it in the same diagram: conditions, parameters, lists of ids.

const NAME = /^[A-Za-z_][\w.-]{0,99}$/;
const PROPERTIES = ['accepts', 'signatures', 'separateFrom', 'requires'];

const replaced = (text, from, to) => {
  const escaped = from.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return text.replace(new RegExp(`(?<![\\w."'])${escaped}(?![\\w"'])`, 'g'), to);
};

export function rename(at, id) {
  const { element, object, extensions, modeling, registry, boot } = at;
  const from = object.id;
  if (!id || id === from) return;
  const taken = registry.get(id) || boot.processes.some((each) => each.id === id);
  if (!NAME.test(id) || taken) {
    at.say(taken ? `Another element has the id ${id}.` : `${id} cannot be an id: letters, digits and _, a letter first.`);
    return;
  }
  extensions.together(() => {
    if (at.isPool || at.isRoot) extensions.update(element, object, { id });
    else modeling.updateProperties(element, { id });
    for (const other of registry.getAll()) {
      if (!other.labelTarget) follow(other, from, id, extensions);
    }
  });
}

function follow(other, from, to, extensions) {
  const object = other.businessObject;
  const condition = object.conditionExpression?.body;
  if (condition && replaced(condition, from, to) !== condition) {
    extensions.setExpression(other, object, 'conditionExpression', replaced(condition, from, to));
  }
  for (const parameter of extensions.operator(object)?.parameterList?.parameters || []) {
    const value = replaced(parameter.value || '', from, to);
    if (value !== (parameter.value || '')) extensions.update(other, parameter, { value });
  }
  for (const name of PROPERTIES) {
    const text = extensions.property(object, name);
    if (text && replaced(text, from, to) !== text) {
      extensions.setProperties(other, object, { [name]: replaced(text, from, to) });
    }
  }
}
