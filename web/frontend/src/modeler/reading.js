// The text of a file from somebody's disk, in the encoding that it declares: not every tool writes UTF-8.

const DECLARED = /^\s*<\?xml[^>]{0,100}?encoding\s*=\s*["']([\w.-]{1,40})["']/;

function encodingOf(bytes) {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  return DECLARED.exec(new TextDecoder('latin1').decode(bytes.subarray(0, 200)))?.[1] || 'utf-8';
}

// Throws when a file declares an encoding that nobody knows.
export async function textOf(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  return new TextDecoder(encodingOf(bytes)).decode(bytes);
}
