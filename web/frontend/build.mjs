// Bundles what the pages need into ../static/build: scripts as ES modules, the fonts, the style sheets of the tools.
// What several pages share lies in chunks of its own. Run: npm ci --ignore-scripts && node build.mjs
import { build } from 'esbuild';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, '..', 'static', 'build');
const pages = ['page.js', 'viewer.js', 'diff.js', 'modeler.js', 'forms.js', 'decisions.js', 'fonts.css'];

const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: pages.map((name) => join('src', name)).filter((path) => existsSync(join(here, path))),
  outdir: out,
  bundle: true,
  splitting: true,
  minify: true,
  metafile: true,
  format: 'esm',
  target: 'es2022',
  conditions: ['browser', 'import', 'module'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  loader: { '.woff': 'file', '.woff2': 'file', '.ttf': 'file', '.eot': 'file', '.svg': 'file' },
  legalComments: 'eof',
  logLevel: 'warning',
});

// what an earlier build has left; only now, so that pages that are open meanwhile find their files
const made = new Set(Object.keys(metafile.outputs).map((path) => basename(path)));
for (const name of readdirSync(out)) if (!made.has(name) && name !== '.built') rmSync(join(out, name));
