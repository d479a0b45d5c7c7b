// A plugin of typedoc: the API reference in chapters, one a room of src/, and pages under their own titles.
import { Comment, CommentTag, Converter } from 'typedoc';

/** Rooms in reading order; `categoryOrder` in typedoc.json repeats the titles. A new room has to be named in both. */
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

/** What has no comment gets none here, as typedoc would then find that it has one. */
function addChapter(reflection, chapter) {
  for (const { comment } of reflection.signatures ?? [reflection]) {
    comment?.blockTags.push(new CommentTag('@category', [{ kind: 'text', text: chapter }]));
  }
}

function chapterOf({ name, sources }, logger) {
  const file = sources?.[0]?.fullFileName.replaceAll('\\', '/') ?? '';
  const room = /\/src\/([^/]+)\//.exec(file)?.[1];
  if (!chapters.has(room)) {
    logger.warn(`${name}: scripts/typedoc-rooms.mjs has no chapter for the room "${room}"`);
  }
  return chapters.get(room) ?? 'Other';
}

/** A document is called what its first heading says, in place of its file's name. */
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
