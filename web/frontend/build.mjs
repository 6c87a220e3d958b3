// Bundles what the pages need into ../static/build: scripts as ES modules, the fonts, bpmn-js' style sheet.
// Run: npm ci --ignore-scripts && node build.mjs
import { build } from 'esbuild';
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, '..', 'static', 'build');

rmSync(out, { recursive: true, force: true });
await build({
  absWorkingDir: here,
  entryPoints: ['src/page.js', 'src/viewer.js', 'src/fonts.css'],
  outdir: out,
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  conditions: ['browser', 'import', 'module'],
  loader: { '.woff': 'file', '.woff2': 'file', '.ttf': 'file', '.eot': 'file', '.svg': 'file' },
  legalComments: 'eof',
  logLevel: 'warning',
});
