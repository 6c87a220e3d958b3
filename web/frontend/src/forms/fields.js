// Adds a field of a supported type to a form's two texts, in the shape that the check asks for.

const entries = () => [
  { const: 'one', title: 'One' },
  { const: 'two', title: 'Two' },
];

const KINDS = {
  text: [() => ({ type: 'string', maxLength: 200 })],
  long: [() => ({ type: 'string', maxLength: 2000 }), () => ({ 'ui:widget': 'textarea' })],
  email: [() => ({ type: 'string', format: 'email', maxLength: 254 })],
  number: [() => ({ type: 'number', minimum: 0, maximum: 1000000 })],
  integer: [() => ({ type: 'integer', minimum: 0, maximum: 1000000 })],
  boolean: [() => ({ type: 'boolean', default: false })],
  date: [() => ({ type: 'string', format: 'date', maxLength: 10 })],
  choice: [() => ({ type: 'string', oneOf: entries() }), () => ({ 'ui:widget': 'radio' })],
  choices: [
    () => ({ type: 'array', uniqueItems: true, maxItems: 2, items: { type: 'string', maxLength: 40, oneOf: entries() } }),
    () => ({ 'ui:widget': 'checkboxes' }),
  ],
  rows: [
    () => ({
      type: 'array',
      minItems: 0,
      maxItems: 50,
      items: {
        type: 'object',
        additionalProperties: false,
        properties: {
          what: { type: 'string', title: 'What', minLength: 1, maxLength: 200 },
          quantity: { type: 'integer', title: 'Quantity', minimum: 1, maximum: 1000 },
        },
        required: ['what', 'quantity'],
      },
    }),
    () => ({ items: { 'ui:order': ['what', 'quantity'] } }),
  ],
};

// A label as the name of a field: letters, digits and _, a letter first.
export function nameOf(title) {
  const plain = title.normalize('NFD').replace(/[^\w\s-]/g, '').trim().toLowerCase().replace(/[\s-]+/g, '_');
  return plain.replace(/^[^a-z]+/, '').slice(0, 60);
}

// The two texts with one field more. Raises an Error with a sentence when that cannot be done.
export function addField(schemaText, uiText, { kind, title, name, required }) {
  if (!title) throw new Error('Give the field a label: what does it ask for?');
  if (!/^[A-Za-z]\w{0,59}$/.test(name)) throw new Error('The name needs letters, digits and _, a letter first: gift_text.');
  const schema = JSON.parse(schemaText);
  const ui = uiText.trim() ? JSON.parse(uiText) : null;
  if (schema?.type !== 'object') throw new Error('The form is not an object yet: "type": "object".');
  schema.properties ??= {};
  if (name in schema.properties) throw new Error(`There is a field ${name} already. Choose another name.`);
  const [make, look] = KINDS[kind];
  const field = make();
  const { type, ...rest } = field;
  const least = required && type === 'string' && !rest.oneOf ? { minLength: 1 } : {};
  const some = required && type === 'array' ? { minItems: 1 } : {};
  schema.properties[name] = { type, title, ...least, ...rest, ...some };
  if (required) schema.required = [...(schema.required || []), name];
  return { schema: written(schema), ui: lookWith(ui, look, name, uiText) };
}

function lookWith(ui, look, name, before) {
  if (!ui && !look) return before;
  const made = ui || {};
  if (Array.isArray(made['ui:order']) && !made['ui:order'].includes('*')) made['ui:order'].push(name);
  if (look) made[name] = look();
  return written(made);
}

const written = (value) => `${JSON.stringify(value, null, 2)}\n`;
