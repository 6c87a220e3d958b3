// Durations as people write them, "2 h" or "1 d 4 h", and as the diagram keeps them, PT2H or P1DT4H.

const UNITS = [
  [/^(w|weeks?)$/, 'W', 'date'],
  [/^(d|days?)$/, 'D', 'date'],
  [/^(h|hours?)$/, 'H', 'time'],
  [/^(m|min|mins|minutes?)$/, 'M', 'time'],
];

// PT2H for "2 h"; any other text (an expression, a duration as ISO 8601 writes it) stays as it is.
export function stored(text) {
  const said = text.trim();
  const parts = [...said.matchAll(/(\d{1,5})\s*([a-z]+)/gi)];
  if (!parts.length || said.replace(/(\d{1,5})\s*([a-z]+)/gi, '').trim()) return said;
  let date = '';
  let time = '';
  for (const [, number, word] of parts) {
    const unit = UNITS.find(([pattern]) => pattern.test(word.toLowerCase()));
    if (!unit) return said;
    if (unit[2] === 'date') date += number + unit[1];
    else time += number + unit[1];
  }
  if (date.includes('W') && (date.includes('D') || time)) return said;
  return `P${date}${time ? `T${time}` : ''}`;
}

// "2 h" for PT2H; the text itself when it is none of the simple ones.
export function shown(text) {
  const found = /^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?$/.exec(text || '');
  if (!found || text === 'P' || text.endsWith('T')) return text || '';
  const [, weeks, days, hours, minutes] = found;
  const parts = [weeks && `${weeks} w`, days && `${days} d`, hours && `${hours} h`, minutes && `${minutes} min`];
  return parts.filter(Boolean).join(' ');
}
