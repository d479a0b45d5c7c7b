// A typedoc plugin: groups the API reference into chapters, one per folder of src/, and titles documents by their headings.
import { Comment, CommentTag, Converter } from 'typedoc';

/** Folders of src/ in reading order. `categoryOrder` in typedoc.json repeats the titles; add a new folder to both. */
const chapters = new Map([
  ['data', 'Data'],
  ['augment', 'Augmentation'],
  ['graph', 'Networks: notation'],
  ['nn', 'Networks: layers'],
  ['models', 'Networks: the study'],
  ['optim', 'Optimisers'],
  ['layers', 'Models of TF.js'],
  ['train', 'Training'],
  ['text', 'Tables'],
  ['analysis', 'Curvature'],
  ['export', 'Export'],
  ['catalogue', 'Experiments'],
  ['runs', 'Runs'],
  ['studies', 'Studies'],
  ['sweeps', 'Sweeps'],
  ['report', 'Reports'],
  ['notebook', 'Notebooks'],
  ['engine', 'Engine'],
  ['base', 'Base'],
]);

/** Skips a reflection without a comment: creating one would hide from typedoc that it is undocumented. */
function addChapter(reflection, chapter) {
  for (const { comment } of reflection.signatures ?? [reflection]) {
    comment?.blockTags.push(new CommentTag('@category', [{ kind: 'text', text: chapter }]));
  }
}

function chapterOf({ name, sources }, logger) {
  const file = sources?.[0]?.fullFileName.replaceAll('\\', '/') ?? '';
  const folder = /\/src\/([^/]+)\//.exec(file)?.[1];
  if (!chapters.has(folder)) {
    logger.warn(`${name}: scripts/typedoc-rooms.mjs has no chapter for the folder "${folder}"`);
  }
  return chapters.get(folder) ?? 'Other';
}

/** Names a document by its first heading rather than by its file. */
function retitle(document) {
  const title = /^# (.+)$/m.exec(document.content.map(({ text }) => text).join(''))?.[1];
  if (title !== undefined) document.name = title;
}

export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const reflection of project.children ?? []) {
      addChapter(reflection, chapterOf(reflection, app.logger));
    }
    for (const document of project.documents ?? []) {
      retitle(document);
      document.comment ??= new Comment();
      addChapter(document, 'Guides');
    }
  });
}
